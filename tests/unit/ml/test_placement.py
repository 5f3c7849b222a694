from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from thanosql_server.errors import InvalidValue, NotSupported, Position
from thanosql_server.ml import placement as placements
from thanosql_server.ml.device import device_of, place
from thanosql_server.ml.families import family
from thanosql_server.ml.placement import Placement
from thanosql_server.sql.options import Options


def options(**values):
    places = {name: Position(1, 1 + index) for index, name in enumerate(values)}
    return Options(values, places)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({}, Placement()),
        ({"device": "CPU"}, Placement("cpu")),
        ({"device": "cuda:12", "precision": "half"}, Placement("cuda:12", "fp16")),
        ({"precision": "Float32"}, Placement("auto", "fp32")),
        ({"precision": "bfloat16"}, Placement("auto", "bf16")),
        ({"device": "auto", "precision": "int8"}, Placement("auto", "int8")),
    ],
)
def test_options_are_read_in_any_usual_spelling(written, meant):
    assert Placement.parse(options(**written)) == meant


@pytest.mark.parametrize(
    ("written", "message", "column"),
    [
        ({"device": "gpu"}, "'device' must be 'auto', 'cpu'.* not 'gpu'", 1),
        ({"device": "cuda:"}, "not 'cuda:'", 1),
        ({"device": 0}, "'device' must be a text in quotes, not 0", 1),
        ({"precision": "fp8"}, "one of auto, fp32, fp16, bf16, int8, not 'fp8'", 1),
        ({"precision": 16}, "'precision' must be a text in quotes, not 16", 1),
        ({"device": "cuda", "precision": "int8"}, "on a GPU, not 'int8'", 2),
    ],
)
def test_a_wrong_value_is_quoted_with_its_place(written, message, column):
    with pytest.raises(InvalidValue, match=message) as caught:
        Placement.parse(options(**written))
    assert caught.value.position == Position(1, column)


def test_a_servers_settings_are_checked_alike():
    assert Placement.of("cuda:0", "FP16") == Placement("cuda:0", "fp16")
    for device, precision in (("tpu", "auto"), ("cpu", "int4"), ("cuda", "int8")):
        with pytest.raises(InvalidValue, match=r"the (device|precision)"):
            Placement.of(device, precision)


def test_int8_names_what_is_not_installed(monkeypatch):
    monkeypatch.setattr(placements, "INT8_NEEDS", ("onnx", "no_such_package"))
    with pytest.raises(NotSupported, match=r"needs no_such_package.*-flight\[int8\]"):
        Placement.parse(options(precision="int8"))
    Placement.parse(options(precision="fp16"))


@pytest.mark.parametrize(
    ("asked", "default", "together"),
    [
        (("auto", "auto"), ("cuda", "bf16"), ("cuda", "bf16")),
        (("auto", "fp32"), ("cuda", "bf16"), ("cuda", "fp32")),
        (("cpu", "auto"), ("cuda", "fp16"), ("cpu", "auto")),
        (("cuda", "auto"), ("auto", "int8"), ("cuda", "auto")),
        (("cpu", "auto"), ("cpu", "int8"), ("cpu", "int8")),
        (("auto", "int8"), ("cuda", "fp16"), ("cpu", "int8")),
    ],
)
def test_what_is_left_open_is_the_servers_choice(asked, default, together):
    assert Placement(*asked).over(Placement(*default)) == Placement(*together)


def test_reading_the_options_loads_no_torch():
    code = (
        "import sys; from thanosql_server.ml.placement import Placement;"
        "Placement.of('cuda', 'fp16'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["SimCLR", "CLIP"])
def test_training_takes_a_device(name):
    assert family(name).parse(options()).device == "auto"
    assert family(name).parse(options(device="CPU")).device == "cpu"
    with pytest.raises(InvalidValue, match="'device' must be"):
        family(name).parse(options(device="gpu"))


def test_without_a_gpu_all_is_float32_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = place(Placement())
    assert (found.device.type, found.dtype, found.int8) == ("cpu", torch.float32, False)
    with pytest.raises(InvalidValue, match=r"'cuda:1' cannot be used, torch sees no"):
        device_of("cuda:1")


def test_with_a_gpu_half_precision_is_the_choice(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = place(Placement())
    assert (str(found.device), found.dtype) == ("cuda:0", torch.float16)
    assert place(Placement("cuda:1", "fp32")).dtype == torch.float32
    assert place(Placement(precision="int8")).device == torch.device("cpu")
    assert place(Placement("cpu")).dtype == torch.float32
    with pytest.raises(InvalidValue, match=r"'cuda:2' is not there.*is 'cuda:1'"):
        device_of("cuda:2")


def test_a_gpu_that_only_imitates_bf16_is_refused(monkeypatch):
    # torch.cuda.device would start the driver; this machine may have none.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.inference_mode())
    seen = []

    def supported(including_emulation=True):
        seen.append(including_emulation)
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    with pytest.raises(NotSupported, match="bf16; choose precision='fp16'"):
        place(Placement("cuda", "bf16"))
    assert seen == [False]
