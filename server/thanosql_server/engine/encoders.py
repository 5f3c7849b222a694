"""Models by name, and their encoders kept in memory."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.control import Control
from thanosql_server.engine.fetched import place_model
from thanosql_server.errors import (
    InvalidData,
    InvalidValue,
    NotSupported,
    Position,
    ThanoSQLError,
    UndefinedObject,
    nearest,
)
from thanosql_server.ml.encoder import TextEncoder
from thanosql_server.ml.families import family, preload
from thanosql_server.ml.media import UnreadableImage, open_image
from thanosql_server.ml.placement import AUTO, Placement
from thanosql_server.storage.models import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from thanosql_server.ml.encoder import Encoder
    from thanosql_server.ml.families import Family
    from thanosql_server.sql.options import Options
    from thanosql_server.storage.hub_manifest import Entry
    from thanosql_server.storage.workspace import Workspace

    Vector = NDArray[np.float32]

logger = logging.getLogger(__name__)


NOT_FETCHED = 0
"""Version of a model that a hub has and the workspace will have; true ones count
from 1."""


@dataclass(frozen=True)
class ModelHandle:
    """A model as statements refer to it: nothing of it is loaded yet.

    It may not be there yet, see `Encoders.ensure`; what planning needs is known.
    """

    model: Model
    family: Family

    @property
    def name(self) -> str:
        """The model's name in lower case."""
        return self.model.name

    @property
    def dim(self) -> int:
        """Numbers per embedding."""
        return int(self.model.config["dim"])


class Encoders:
    """Finds models and keeps the encoders of the last few loaded."""

    KEPT = 4
    QUERIES_KEPT = 256

    def __init__(
        self,
        workspace: Workspace,
        threads: int,
        *,
        fetch_models: bool = False,
        placement: Placement = Placement(),  # noqa: B008 - it is frozen
    ) -> None:
        self._fetch_models = fetch_models
        self._placement = placement
        self._workspace = workspace
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[object, ...], Encoder] = OrderedDict()
        self._loading: dict[tuple[object, ...], threading.Lock] = {}
        self._queries: OrderedDict[tuple[object, ...], NDArray[np.float32]] = (
            OrderedDict()
        )

    def find(
        self,
        name: str,
        position: Position | None = None,
        control: Control | None = None,
    ) -> ModelHandle:
        """Return the model called `name`, in whatever case it is written.

        A model that only a hub has, and that may be fetched, is fetched here if the
        hub does not say enough of it to plan a statement; else by `ensure`.

        Args:
            name: as the statement has it.
            position: where the statement has it.
            control: of the statement, if it runs already.

        Raises:
            UndefinedObject: there is no such model; says which GET to run, if any.
        """
        models, name = self._workspace.models, name.lower()
        if models.exists(name):
            return _handle(models.open(name))
        if not self._fetch_models:
            raise UndefinedObject(self._absent(name), position=position)
        control = control or Control()
        try:
            entry = self._workspace.hubs.offers.find("models", name, control).entry
            if entry.dim is not None:
                return _handle(_announced(name, entry))
            self._fetch(name, control)
        except ThanoSQLError as error:
            raise error.at(position) from None
        return _handle(models.open(name))

    def ensure(
        self, handle: ModelHandle, control: Control, position: Position | None = None
    ) -> ModelHandle:
        """Return the model as it is in the workspace, fetched now if it is not there.

        Raises:
            ThanoSQLError: it cannot be had; nothing has changed.
        """
        if handle.model.version != NOT_FETCHED:
            return handle
        try:
            if not self._workspace.models.exists(handle.name):
                self._fetch(handle.name, control)
            return self._present(handle)
        except ThanoSQLError as error:
            raise error.at(position) from None

    def _present(self, handle: ModelHandle) -> ModelHandle:
        """Return the same model, as the workspace has it by now.

        Raises:
            ThanoSQLError: it is not there, or is not what the hub has announced.
        """
        if handle.model.version != NOT_FETCHED:
            return handle
        present = _handle(self._workspace.models.open(handle.name))
        if (present.dim, present.family) != (handle.dim, handle.family):
            raise InvalidData(
                f"model '{handle.name}' was announced as a {handle.family.name} of "
                f"{handle.dim} numbers, and is a {present.family.name} of "
                f"{present.dim}; run the statement again"
            )
        return present

    def _fetch(self, name: str, control: Control) -> None:
        self._workspace.hubs.fetch_model(name, control, place_model)

    def _absent(self, name: str) -> str:
        """Return the sentence about a model that is not there: what to do."""
        at_hand = self._workspace.hubs.offers.known_at_hand("models")
        offered = next((one for one in at_hand if one.lower() == name), None)
        hint = (
            (f"; GET THANOSQL MODEL {offered} fetches it" if offered else "")
            or nearest(name, [*self._workspace.models.names(), *at_hand])
            or "; LIST MODEL shows those there are"
        )
        return f"there is no model '{name}'{hint}"

    def encoder(
        self,
        handle: ModelHandle,
        placement: Placement = Placement(),  # noqa: B008 - it is frozen
    ) -> Encoder:
        """Return the model's encoder, loaded now if it is not in memory.

        What the placement leaves open is the server's choice. A precision of the
        server's that the model cannot have is passed over.

        Raises:
            InvalidValue: there is no such device.
            NotSupported: the model cannot have the precision of the placement.
        """
        handle = self._present(handle)
        wanted = placement.over(self._placement)
        key = (handle.name, handle.model.version, handle.model.created, wanted)
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        # Loading may take long; others go on meanwhile with what is in memory.
        with loading:
            encoder = self._in_memory(key)
            if encoder is None:
                try:
                    encoder = self._load(handle, wanted, placement)
                    self._remember(key, encoder)
                finally:
                    with self._lock:
                        self._loading.pop(key, None)
        return encoder

    def chosen(self, handle: ModelHandle, options: Options) -> Callable[[], Encoder]:
        """Return what loads the model's encoder as a clause's OPTIONS say.

        Raises:
            InvalidValue, NotSupported: the options are wrong whatever the machine; what
                is returned raises them, with the option's place, for this machine.
        """
        placement = Placement.parse(options)

        def load() -> Encoder:
            try:
                return self.encoder(handle, placement)
            except (InvalidValue, NotSupported) as error:
                # A wrong device is an invalid value, a precision is not supported.
                name = "device" if isinstance(error, InvalidValue) else "precision"
                error.at(options.position(name) if name in options else None)
                raise

        return load

    def preload(self) -> None:
        """Import what the workspace's models need; meant for a thread of its own.

        torch and open_clip take ten seconds, which the first search would wait for.
        """
        models = self._workspace.models
        with suppress(ThanoSQLError):  # of a damaged model, its first use tells
            for name in models.names():
                preload(models.open(name).config["family"])

    def precision(self, options: Options) -> str:
        """Return the precision that OPTIONS and the server's settings ask for."""
        return Placement.parse(options).over(self._placement).precision

    def _in_memory(self, key: tuple[object, ...]) -> Encoder | None:
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key)
            return self._loaded.get(key)

    def _remember(self, key: tuple[object, ...], encoder: Encoder) -> None:
        with self._lock:
            self._loaded[key] = encoder
            while len(self._loaded) > self.KEPT:
                self._loaded.popitem(last=False)

    def _load(
        self, handle: ModelHandle, wanted: Placement, asked: Placement
    ) -> Encoder:
        """Load an encoder as it is wanted, or as the model can have it."""
        load, folder = handle.family.load, handle.model.folder
        try:
            return load(folder, threads=self._threads, placement=wanted)
        except NotSupported as error:
            if asked.precision != AUTO or wanted.precision == AUTO:
                raise
            logger.warning("model '%s' runs otherwise: %s", handle.name, error)
        wanted = replace(wanted, precision=AUTO)
        return load(folder, threads=self._threads, placement=wanted)

    def image_query(self, handle: ModelHandle, shown: str) -> Vector:
        """Return the unit vector (dim,) of the picture at `shown`, a user's path."""
        path = self._workspace.paths.existing_file(shown)
        state = path.stat()

        def embed(encoder: Encoder) -> Vector:
            try:
                image = open_image(path, decode_side=encoder.decode_side)
            except UnreadableImage as error:
                raise InvalidData(
                    f"the picture '{shown}' cannot be read: {error}"
                ) from None
            pixels = np.stack([encoder.preprocess(image)])
            vector: Vector = encoder.encode_images(pixels)[0]
            return vector

        key = ("image", shown, state.st_mtime_ns, state.st_size)
        return self._query(handle, key, embed)

    def text_query(self, handle: ModelHandle, text: str) -> Vector:
        """Return the unit vector (dim,) of a text."""

        def embed(encoder: Encoder) -> Vector:
            if not isinstance(encoder, TextEncoder):
                raise NotSupported(f"model '{handle.name}' cannot encode text")
            vector: Vector = encoder.encode_texts([text])[0]
            return vector

        return self._query(handle, ("text", text), embed)

    def _query(
        self,
        handle: ModelHandle,
        item: tuple[object, ...],
        embed: Callable[[Encoder], Vector],
    ) -> Vector:
        """Return the vector of a query item, embedded now if it is not remembered."""
        handle = self._present(handle)
        key = (handle.name, handle.model.version, handle.model.created, *item)
        with self._lock:
            known = self._queries.get(key)
        if known is not None:
            return known
        vector = embed(self.encoder(handle))
        with self._lock:
            self._queries[key] = vector
            while len(self._queries) > self.QUERIES_KEPT:
                self._queries.popitem(last=False)
        return vector


def _handle(model: Model) -> ModelHandle:
    return ModelHandle(model, family(model.config["family"]))


def _announced(name: str, entry: Entry) -> Model:
    """Return the model that an entry will become, as far as it is known."""
    config = {"family": entry.category, "dim": entry.dim}
    since = datetime.fromtimestamp(0, timezone.utc)
    return Model(name, NOT_FETCHED, Path(), config, {}, since)
