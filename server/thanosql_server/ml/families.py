"""The model families and where their code is; importing this file loads no torch."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from thanosql_server.errors import NotSupported, UndefinedObject, nearest
from thanosql_server.ml.clip_options import ClipOptions
from thanosql_server.ml.placement import Placement
from thanosql_server.ml.simclr_options import SimCLROptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import pyarrow as pa

    from thanosql_server.control import Control
    from thanosql_server.ml.encoder import Encoder
    from thanosql_server.ml.option_reader import OptionReader


class TrainingOptions(Protocol):
    """What every family's options have; the rest is the family's own affair."""

    @property
    def image_col(self) -> str:
        """Column with the pictures' paths."""

    @property
    def overwrite(self) -> bool:
        """Whether a model of the same name is replaced."""


class Load(Protocol):
    """Opens a model's folder."""

    def __call__(
        self,
        folder: Path,
        *,
        threads: int | None = None,
        placement: Placement = ...,
    ) -> Encoder:
        """Return the encoder stored in the folder."""


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes:
        name: as users write it after USING, such as `SimCLR`.
        base: suffix of embedding columns, such as `simclr`.
        media: what its encoders take: `image`, `text`.
        parse: checks the OPTIONS of BUILD MODEL (before anything runs) and returns
            them with the defaults filled in. Raises InvalidValue, UndefinedObject.
        train: trains on batches that hold the path column, writes a model into the
            folder and returns its metrics; see `simclr.train`.
        load: opens such a folder.
        code: the module that opens it, whose import takes seconds.
        aliases: other names that the dialect's documents have for it.
    """

    name: str
    base: str
    media: frozenset[str]
    parse: Callable[[OptionReader], Any]
    train: Callable[
        [Iterable[pa.RecordBatch], Callable[[str], Path], Any, Path, Control],
        dict[str, Any],
    ]
    load: Load
    code: str
    aliases: tuple[str, ...] = ()


def _train_simclr(
    batches: Iterable[pa.RecordBatch],
    resolve: Callable[[str], Path],
    options: SimCLROptions,
    folder: Path,
    control: Control,
) -> dict[str, Any]:
    from thanosql_server.ml.simclr import train  # torch takes seconds to import

    return train(batches, resolve, options, folder, control)


def _load_simclr(
    folder: Path,
    *,
    threads: int | None = None,
    placement: Placement = Placement(),  # noqa: B008 - it is frozen
) -> Encoder:
    from thanosql_server.ml.simclr_encoder import load  # torch again

    return load(folder, threads=threads, placement=placement)


def _train_clip(
    batches: Iterable[pa.RecordBatch],
    resolve: Callable[[str], Path],
    options: ClipOptions,
    folder: Path,
    control: Control,
) -> dict[str, Any]:
    from thanosql_server.ml.clip import train  # torch and open_clip

    return train(batches, resolve, options, folder, control)


def _load_clip(
    folder: Path,
    *,
    threads: int | None = None,
    placement: Placement = Placement(),  # noqa: B008 - it is frozen
) -> Encoder:
    from thanosql_server.ml.clip_encoder import load  # torch and open_clip

    return load(folder, threads=threads, placement=placement)


IMAGE_COLUMNS = ("image_path", "image", "img_path", "filepath", "path")

FAMILIES: tuple[Family, ...] = (
    Family(
        name="SimCLR",
        base="simclr",
        media=frozenset({"image"}),
        parse=SimCLROptions.parse,
        train=_train_simclr,
        load=_load_simclr,
        code="thanosql_server.ml.simclr_encoder",
    ),
    Family(
        name="CLIP",
        base="clipen",
        media=frozenset({"image", "text"}),
        parse=ClipOptions.parse,
        train=_train_clip,
        load=_load_clip,
        code="thanosql_server.ml.clip_encoder",
        aliases=("CLIPEn",),
    ),
)

# Families of the documented dialect that are not built yet.
NOT_YET = ("CLIPKo",)


def preload(name: str) -> None:
    """Import the code of a family, so that the first use of a model does not wait.

    Raises:
        ThanoSQLError: there is no such family.
    """
    importlib.import_module(family(name).code)


def family(name: str) -> Family:
    """Return the family of that name, in any case.

    Raises:
        NotSupported: the dialect has this family but the server does not, yet.
        UndefinedObject: there is no such family.
    """
    for known in FAMILIES:
        if name.lower() in {one.lower() for one in (known.name, *known.aliases)}:
            return known
    for planned in NOT_YET:
        if planned.lower() == name.lower():
            raise NotSupported(f"{planned} is not supported yet")
    names = [known.name for known in FAMILIES]
    raise UndefinedObject(
        f"there is no model family '{name}', known are: {', '.join(names)}"
        f"{nearest(name, names)}"
    )
