"""The encoders of the last few models, and the last few query vectors, in memory."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from thanosql_server.errors import (
    InvalidData,
    InvalidValue,
    NotSupported,
)
from thanosql_server.ml.encoder import TextEncoder
from thanosql_server.ml.media import UnreadableImage, open_image
from thanosql_server.ml.placement import AUTO, Placement

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from thanosql_server.engine.models import ModelHandle, Models
    from thanosql_server.ml.encoder import Encoder
    from thanosql_server.sql.options import Options
    from thanosql_server.storage.workspace import Workspace

    Vector = NDArray[np.float32]

logger = logging.getLogger(__name__)


class Encoders:
    """Loads encoders and keeps the last few; remembers query vectors."""

    KEPT = 4
    QUERIES_KEPT = 256

    def __init__(
        self,
        workspace: Workspace,
        models: Models,
        threads: int,
        *,
        placement: Placement = Placement(),  # noqa: B008 - it is frozen
    ) -> None:
        self._models = models
        self._placement = placement
        self._workspace = workspace
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[object, ...], Encoder] = OrderedDict()
        self._loading: dict[tuple[object, ...], threading.Lock] = {}
        self._queries: OrderedDict[tuple[object, ...], NDArray[np.float32]] = (
            OrderedDict()
        )

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
        handle = self._models.present(handle)
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

    def remembers(self, handle: ModelHandle, text: str) -> bool:
        """Return whether the vector of a text is there without embedding it."""
        with self._lock:
            return _key(handle, ("text", text)) in self._queries

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
        handle = self._models.present(handle)
        key = _key(handle, item)
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


def _key(handle: ModelHandle, item: tuple[object, ...]) -> tuple[object, ...]:
    return (handle.name, handle.model.version, handle.model.created, *item)
