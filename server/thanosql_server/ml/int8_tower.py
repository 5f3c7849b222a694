"""A CLIP image tower in whole numbers: four times the speed of float32 on a CPU.

The weights are rounded to 8 bits once, per output; the inputs of each product when it
is computed (dynamic quantization of onnxruntime, MatMul and Gemm only). Making this
takes some ten seconds, so the result is kept beside the model's weights.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import tempfile
import threading
import time
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from torch.utils.flop_counter import FlopCounterMode

from thanosql_server.errors import NotSupported
from thanosql_server.ml.model_folder import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from thanosql_server.ml.clip_model import Architecture

logger = logging.getLogger(__name__)

KEPT_IN = ".derived"
"""Folder beside the weights for what can be made again; hubs leave it out."""
FORMAT = 1
"""Of the kept file; another number makes it anew."""
MICRO_BATCH = 32
CONVOLVED = 0.5
"""Share of a tower's work above which int8, which leaves convolutions, is no gain."""
LEAST_AGREEMENT = 0.99
"""Cosine to float32 on drawn pictures below which a tower is not used."""
STALE_SECONDS = 3600
"""Age at which a file that was never finished is removed."""

_KEY = "thanosql:key"
_making = threading.Lock()
"""torch's exporter is for one thread at a time."""


class Int8Tower:
    """An image tower with its preprocessing: bytes in, unit vectors out."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return unit vectors (n, dim) of pictures (n, 3, h, w).

        The inputs of a product share one scale over the micro-batch: a vector differs
        a little (cosine about 0.9998) with the pictures that are encoded with it.
        """
        parts = [
            self._session.run(None, {"pixels": np.ascontiguousarray(part)})[0]
            for part in _parts(pixels)
        ]
        vectors: NDArray[np.float32] = np.concatenate(parts)
        return vectors


def open_tower(
    folder: Path, architecture: Architecture, network: Any, threads: int
) -> Int8Tower:
    """Return the image tower of a model in whole numbers, made now if need be.

    Args:
        folder: the model's; the tower is kept in it unless it cannot be written to.
        architecture: of the model.
        network: with its weights, in float32.
        threads: CPU threads to encode with.

    Raises:
        NotSupported: the tower consists of convolutions, or int8 distorts it.
    """
    key = _key(folder)
    kept = folder / KEPT_IN / f"image_int8-{key}.onnx"
    session = _opened(kept, key, threads)
    if session is None:
        tower = _Tower(network.visual, architecture).eval()
        _require_products(tower, architecture)
        with _making, tempfile.TemporaryDirectory(prefix="thanosql-int8-") as scratch:
            made = _made(tower, architecture, key, Path(scratch))
            session = _session(made, threads)
            _require_agreement(session, tower, architecture)
            _keep(made, kept)
    return Int8Tower(session)


class _Tower(nn.Module):
    """From bytes to unit vectors, so that all of it can be exported."""

    scale: Tensor
    shift: Tensor

    def __init__(self, visual: nn.Module, architecture: Architecture) -> None:
        super().__init__()
        self.visual = visual
        mean = torch.tensor(architecture.preprocess.mean)[:, None, None]
        std = torch.tensor(architecture.preprocess.std)[:, None, None]
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.visual(pixels.float() * self.scale + self.shift)
        return F.normalize(features, dim=-1)


def _key(folder: Path) -> str:
    """Return what the kept file depends on: weights, versions, and the processor."""
    weights = (folder / WEIGHTS).stat()
    about = [
        FORMAT,
        torch.__version__,
        onnxruntime.__version__,
        _seven_bits(),
        weights.st_size,
        weights.st_mtime_ns,
        (folder / CONFIG).read_text(encoding="utf-8"),
    ]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def _seven_bits() -> bool:
    """Whether sums of 8-bit products would overflow: processors without VNNI."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    has: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return not any(has.get(f"{kind}_vnni") for kind in ("avx512", "avx"))


def _require_products(tower: nn.Module, architecture: Architecture) -> None:
    """Raise NotSupported for a tower of convolutions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tower(torch.from_numpy(_drawn(architecture, 1)))
    work = {str(op): count for op, count in counter.get_flop_counts()["Global"].items()}
    convolved = sum(count for op, count in work.items() if "convolution" in op)
    if convolved > CONVOLVED * sum(work.values()):
        raise NotSupported(
            "int8 does not make this model faster, its image tower consists of "
            "convolutions; choose precision='fp32'"
        )


def _made(
    tower: nn.Module, architecture: Architecture, key: str, scratch: Path
) -> Path:
    """Return the file of the tower in whole numbers, in the folder `scratch`."""
    try:
        return _make(tower, architecture, key, scratch)
    except Exception as error:  # of three libraries, each with classes of its own
        logger.warning("an image tower cannot be rounded to int8", exc_info=True)
        raise NotSupported(
            "int8 cannot be made of this model's image tower; choose precision='fp32'"
        ) from error


def _make(
    tower: nn.Module, architecture: Architecture, key: str, scratch: Path
) -> Path:
    """Return the file of the tower in whole numbers, in the folder `scratch`."""
    exact, made = scratch / "exact.onnx", scratch / "int8.onnx"
    example = torch.from_numpy(_drawn(architecture, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own parts
        program = torch.onnx.export(
            tower,
            (example,),
            input_names=["pixels"],
            output_names=["vectors"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("pictures")}},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    # It was optimised by the exporter; without this mark onnxruntime logs advice.
    program.model.metadata_props["onnx.quant.pre_process"] = "onnxruntime.quant"
    program.save(exact, external_data=True)
    quantize_dynamic(
        exact,
        made,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        reduce_range=_seven_bits(),
        weight_type=QuantType.QInt8,
    )
    model = onnx.load(made)
    model.metadata_props.add(key=_KEY, value=key)
    onnx.save(model, made)
    return made


def _drawn(architecture: Architecture, count: int) -> NDArray[np.uint8]:
    """Return pictures (count, 3, h, w) of large soft patches, the same each time."""
    size = architecture.image_size
    height, width = (size, size) if isinstance(size, int) else size
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand((count, 3, 7, 7), generator=rng)
    drawn = F.interpolate(coarse, (height, width), mode="bilinear")
    pixels: NDArray[np.uint8] = (drawn * 255).to(torch.uint8).numpy()
    return pixels


def _require_agreement(
    session: onnxruntime.InferenceSession, tower: nn.Module, architecture: Architecture
) -> None:
    """Raise NotSupported if whole numbers give other vectors than float32."""
    pixels = _drawn(architecture, 8)
    with torch.inference_mode():
        exact = tower(torch.from_numpy(pixels)).numpy()
    cosine = float((Int8Tower(session).encode(pixels) * exact).sum(1).min())
    logger.info("an image tower was rounded to int8: cosine to float32 %.5f", cosine)
    if not cosine >= LEAST_AGREEMENT:
        raise NotSupported(
            f"int8 distorts this model (cosine to float32 {cosine:.3f}); choose "
            "precision='fp32'"
        )


def _opened(kept: Path, key: str, threads: int) -> onnxruntime.InferenceSession | None:
    """Return the kept tower, None if it is not there or damaged."""
    if not kept.is_file():
        return None
    try:
        session = _session(kept, threads)
    except Exception as error:  # onnxruntime has a class for each of its codes
        logger.warning("a kept int8 tower is damaged and made anew: %s", error)
        return None
    # The key is at the end of the file: without it something is missing.
    whole = session.get_modelmeta().custom_metadata_map.get(_KEY) == key
    return session if whole else None


def _session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """Return the file's network, ready to run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    # As with torch's threads: those that wait would take the core from those that work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        str(file), options, providers=["CPUExecutionProvider"]
    )


def _keep(made: Path, kept: Path) -> None:
    """Copy the file beside the weights, whole or not at all."""
    part = kept.with_name(f"{kept.stem}-{uuid.uuid4().hex[:8]}.part")
    try:
        kept.parent.mkdir(exist_ok=True)
        _clear(kept.parent)
        try:
            with part.open("wb") as target:
                target.write(made.read_bytes())
                target.flush()
                os.fsync(target.fileno())
            part.rename(kept)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("an int8 tower could not be kept: %s", error.strerror)


def _clear(folder: Path) -> None:
    """Remove towers of other weights or versions, and what was never finished."""
    for file in folder.glob("image_int8-*.onnx"):
        file.unlink(missing_ok=True)
    for part in folder.glob("image_int8-*.part"):
        if time.time() - part.stat().st_mtime > STALE_SECONDS:
            part.unlink(missing_ok=True)


def _parts(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield micro-batches, an empty one for no pictures."""
    for start in range(0, max(1, len(pixels)), MICRO_BATCH):
        yield pixels[start : start + MICRO_BATCH]
