"""Where an encoder runs and with which numbers; importing this file loads no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidValue, NotSupported

if TYPE_CHECKING:
    from thanosql_server.ml.option_reader import OptionReader

AUTO = "auto"
OPTIONS = ("device", "precision")
DEVICES = "'auto', 'cpu', 'cuda' or 'cuda:N'"
PRECISIONS = ("auto", "fp32", "fp16", "bf16", "int8")
INT8_NEEDS = ("onnx", "onnxruntime", "onnxscript")
"""Packages of the extra `int8`."""

_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")
_SPELLINGS = {
    "float32": "fp32",
    "float": "fp32",
    "float16": "fp16",
    "half": "fp16",
    "bfloat16": "bf16",
}


@dataclass(frozen=True)
class Placement:
    """Where an encoder runs and with which numbers.

    Attributes:
        device: `auto`, `cpu`, `cuda` or `cuda:N`. `auto` is a GPU if torch sees one.
        precision: one of PRECISIONS. `auto` is fp16 on a GPU and fp32 on a CPU;
            OpenAI's weights were published in fp16, and bf16 is less exact.
    """

    device: str = AUTO
    precision: str = AUTO

    @classmethod
    def parse(cls, options: OptionReader) -> Placement:
        """Return what the options `device` and `precision` say.

        Raises:
            InvalidValue: a value is none of those known, or the two do not go together.
            NotSupported: int8 without the packages that it needs.
        """
        device = device_option(options)
        precision = _precision(options.text("precision", AUTO))
        if precision is None:
            raise options.invalid("precision", _choices())
        placement = cls(device, precision)
        if not placement._goes_together():
            raise options.invalid("precision", "'fp16', 'bf16' or 'fp32' on a GPU")
        placement._require_packages()
        return placement

    @classmethod
    def of(cls, device: str, precision: str) -> Placement:
        """Return the placement of a server's settings; raises what `parse` raises."""
        where, numbers = _device(device), _precision(precision)
        if where is None:
            raise InvalidValue(f"the device must be {DEVICES}, not '{device}'")
        if numbers is None:
            raise InvalidValue(f"the precision must be {_choices()}, not '{precision}'")
        placement = cls(where, numbers)
        if not placement._goes_together():
            raise InvalidValue(
                "the precision int8 needs the CPU; choose the device 'cpu', or fp16"
            )
        placement._require_packages()
        return placement

    def over(self, default: Placement) -> Placement:
        """Return this placement, what it leaves open taken from `default`.

        A precision that was chosen for one device says nothing about another.
        """
        if self.device in (AUTO, default.device):
            precision = default.precision if self.precision == AUTO else self.precision
            placement = Placement(default.device, precision)
            if placement._goes_together():
                return placement
            return Placement("cpu", precision)
        return self

    def _goes_together(self) -> bool:
        return not (self.precision == "int8" and self.device.startswith("cuda"))

    def _require_packages(self) -> None:
        """Raise NotSupported if int8 is asked for and cannot be had."""
        if self.precision != "int8":
            return
        missing = [name for name in INT8_NEEDS if find_spec(name) is None]
        if missing:
            raise NotSupported(
                f"int8 needs {' and '.join(missing)}, not installed on the server; "
                "pip install 'thanosql-flight[int8]', or choose another precision"
            )


def device_option(options: OptionReader) -> str:
    """Return the option `device` alone, checked; raises InvalidValue."""
    device = _device(options.text("device", AUTO))
    if device is None:
        raise options.invalid("device", DEVICES)
    return device


def require_device(device: str) -> None:
    """Load torch and raise InvalidValue if it does not see this device."""
    from thanosql_server.ml.device import device_of  # torch takes seconds to import

    device_of(device)


def _device(text: str) -> str | None:
    """Return the device as torch spells it, None if it is none."""
    name = text.strip().lower()
    return name if _DEVICE.fullmatch(name) else None


def _precision(text: str) -> str | None:
    """Return one of PRECISIONS, None if the text names none."""
    name = text.strip().lower()
    name = _SPELLINGS.get(name, name)
    return name if name in PRECISIONS else None


def _choices() -> str:
    return f"one of {', '.join(PRECISIONS)}"
