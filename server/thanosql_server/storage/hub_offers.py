"""What hubs offer: all of them asked at the same time, then what is built in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from thanosql_server.control import Control
from thanosql_server.errors import Cancelled, ThanoSQLError, UndefinedObject, nearest
from thanosql_server.storage.hub_manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    WORDS,
    Entry,
    Kind,
    parse_manifest,
)
from thanosql_server.storage.hub_reading import Broken, Missing, Refused
from thanosql_server.storage.hub_recipe import FromHub, Offer
from thanosql_server.storage.hub_sources import source_of
from thanosql_server.storage.hub_staging import unreachable
from thanosql_server.storage.hub_waiting import read_small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.storage.hub_reading import Source
    from thanosql_server.storage.hub_waiting import Patience


class Offers:
    """What can be had, the first hub that has a name winning.

    Args:
        locations: folders and addresses, in the order in which they are asked.
        built_in: what needs no hub, after these.
        patience: how long hubs are waited for.

    Raises:
        InvalidValue: a location is neither a folder nor an address.
    """

    def __init__(
        self, locations: Sequence[str], built_in: Sequence[Offer], patience: Patience
    ) -> None:
        self._sources = [source_of(location) for location in locations]
        self._built_in = tuple(built_in)
        self._patience = patience

    def entries(self, kind: Kind, control: Control) -> list[Entry]:
        """Return what there is, sorted by name; the first hub that has a name wins.

        A hub that cannot be read is left out with a warning.
        """
        found: dict[str, Entry] = {}
        offers, failures = self._offers(kind, control)
        for offer in offers:
            found.setdefault(offer.entry.name, offer.entry)
        for failure in failures:
            control.warn(failure.message)
        return [found[name] for name in sorted(found)]

    def find(self, kind: Kind, name: str, control: Control) -> Offer:
        """Return the first offer of that name, exactly or else in another case.

        Raises:
            UndefinedObject: no hub has it.
            ThanoSQLError: a hub cannot be read, and the others do not have it.
        """
        offers, failures = self._offers(kind, control)
        wanted = name.lower()
        alike = [offer for offer in offers if offer.entry.name.lower() == wanted]
        if alike:
            for failure in failures:
                control.warn(failure.message)
            exact = (offer for offer in alike if offer.entry.name == name)
            return next(exact, alike[0])
        if failures:
            raise failures[0]
        word = WORDS[kind]
        hint = nearest(name, [offer.entry.name for offer in offers])
        listing = f"; LIST THANOSQL {word.replace(' ', '').upper()} shows what there is"
        raise UndefinedObject(f"no hub has a {word} '{name}'{hint or listing}")

    def known_at_hand(self, kind: Kind) -> list[str]:
        """Return the names of what is listed where no network is needed to look."""
        offers, _ = self._offers(kind, Control(), local_only=True)
        return [offer.entry.name for offer in offers]

    def _offers(
        self, kind: Kind, control: Control, *, local_only: bool = False
    ) -> tuple[list[Offer], list[ThanoSQLError]]:
        """Return what hubs have, then what is built in, and why some say nothing."""
        asked = [s for s in self._sources if s.is_local or not local_only]
        offers, failures = [], []
        for source, answer in zip(asked, self._answers(asked, control), strict=True):
            if isinstance(answer, ThanoSQLError):
                failures.append(answer)
            else:
                offers += [Offer(entry, FromHub(source)) for entry in answer]
        offers += self._built_in
        return [offer for offer in offers if offer.entry.kind == kind], failures

    def _answers(
        self, asked: list[Source], control: Control
    ) -> list[tuple[Entry, ...] | ThanoSQLError]:
        """Ask hubs at the same time, so that several dead ones cost no more than one.

        Raises:
            Cancelled: the statement was cancelled.
        """

        def ask(source: Source) -> tuple[Entry, ...] | ThanoSQLError:
            try:
                return self._manifest(source, control)
            except Cancelled:
                raise
            except ThanoSQLError as failure:
                return failure

        with ThreadPoolExecutor(max(len(asked), 1), "hubs") as pool:
            return list(pool.map(ask, asked))

    def _manifest(self, source: Source, control: Control) -> tuple[Entry, ...]:
        try:
            content = read_small(
                source, MANIFEST, MAX_MANIFEST_BYTES, control, self._patience
            )
        except (Missing, Refused, Broken) as failure:
            raise unreachable(MANIFEST, source, failure) from None
        return parse_manifest(content, source.shown)
