"""The workspace as DataFusion's catalog: new tables appear at once.

Each statement gets a catalog of its own, which remembers the table objects it handed
out, so that the planner can leave hints on them and nobody else sees these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datafusion.catalog import CatalogProvider, SchemaProvider

from thanosql_server.engine.joins import with_rows_known
from thanosql_server.engine.provider import LanceTable
from thanosql_server.engine.session import CATALOG, SCHEMA
from thanosql_server.engine.system_tables import (
    SYSTEM_SCHEMA,
    SystemTables,
    system_schemas,
)
from thanosql_server.errors import InvalidStatement, ThanoSQLError, UndefinedTable
from thanosql_server.sql.names import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa
    from datafusion import DataFrame
    from datafusion.catalog import Table as DataFusionTable

    from thanosql_server.engine.places import Place
    from thanosql_server.storage.schemas import Space
    from thanosql_server.storage.tables import Table
    from thanosql_server.storage.views import View
    from thanosql_server.storage.workspace import Workspace

DEEPEST_VIEWS = 32
"""How many views may read one another; each has a planning and a thread of its own."""

TARGET_SCHEMA = "__target"
"""Holds the table that a statement changes, with the row ids as a column."""


@dataclass(frozen=True)
class TableInfo:
    """One table as metadata commands list it; `columns` only when asked for."""

    catalog: str
    schema: str
    name: str
    kind: str
    columns: pa.Schema | None = None


class Reading:
    """What one text has read so far, in all schemas.

    Attributes:
        opened: versions of tables, by schema and name.
        frames: queries of views, by schema and name.
        used: schema and name of all that was asked for.
        handed_out: table objects that queries scan; hints are left on them.
        path: the views in which the text stands, the outermost first.
        sized: names of tables that are shown with their number of rows (see `joins`).
        failure: why a table or view could not be opened.
    """

    def __init__(self) -> None:
        self.opened: dict[tuple[str, str], Table] = {}
        self.frames: dict[tuple[str, str], DataFrame] = {}
        self.used: set[tuple[str, str]] = set()
        self.handed_out: list[LanceTable] = []
        self.path: tuple[tuple[str, str], ...] = ()
        self.sized: frozenset[str] = frozenset()
        self.failure: ThanoSQLError | None = None

    def share(self, other: Reading) -> None:
        """See what another text sees, that of a statement that reads a view."""
        self.opened, self.frames = other.opened, other.frames
        self.used, self.handed_out = other.used, other.handed_out
        self.sized = other.sized

    def apart(self) -> None:
        """Share versions only: hints for one query do not hold for the other."""
        self.frames, self.handed_out = {}, []


class Tables(SchemaProvider):
    """The stored tables and the views of one schema."""

    def __init__(
        self,
        space: Space,
        reading: Reading,
        expand: Callable[[tuple[str, str], View], DataFrame],
    ) -> None:
        self._schema = space.schema
        self._tables = space.tables
        self._views = space.views
        self._reading = reading
        self._expand = expand

    # DataFusion reads this as an attribute that is a list, whatever the stub says.
    @property
    def table_names(self) -> list[str]:  # type: ignore[override]
        """Names of the stored tables and of the views."""
        return sorted({*self._tables.names(), *self._views.names()})

    @property
    def handed_out(self) -> list[LanceTable]:
        """The table objects of all schemas that queries scan."""
        return self._reading.handed_out

    def table_exist(self, name: str) -> bool:
        """Return whether there is such a table or view."""
        return self._tables.exists(name) or self._views.exists(name)

    # The stub knows no data frames.
    def table(self, name: str) -> Any:
        """Return the table's newest version, or a view's query, or None."""
        self._reading.used.add((self._schema, name))
        try:
            if self._views.exists(name):
                return self._view(name)
            table = self._stored(name)
        except ThanoSQLError as error:
            # A broken one must not break the listing of all others.
            self._reading.failure = error
            return None
        if table is None:
            return None
        self.handed_out.append(table)
        return with_rows_known(table) if table.name in self._reading.sized else table

    def _stored(self, name: str) -> LanceTable | None:
        try:
            return LanceTable(self.open(name), f"{self._schema}.{name}")
        except UndefinedTable:
            return None

    def _view(self, name: str) -> DataFrame:
        key, path = (self._schema, name), self._reading.path
        if key in path:
            around = " -> ".join(one for _, one in (*path[path.index(key) :], key))
            raise InvalidStatement(f"views read each other in a circle: {around}")
        if len(path) >= DEEPEST_VIEWS:
            raise InvalidStatement(f"more than {DEEPEST_VIEWS} views read each other")
        if key not in self._reading.frames:
            try:
                frame = self._expand(key, self._views.open(name))
                self._reading.frames[key] = frame
            except ThanoSQLError as error:
                message = f"view '{name}' cannot be used: {error.message}"
                raise type(error)(message) from None
        return self._reading.frames[key]

    def open(self, name: str) -> Table:
        """Return the version of a table that this statement sees throughout.

        Raises:
            UndefinedTable: there is no such table.
        """
        key = (self._schema, name)
        if key not in self._reading.opened:
            self._reading.opened[key] = self._tables.open(name)
        return self._reading.opened[key]


class Targets(SchemaProvider):
    """What one statement alone sees: the table that it changes, with row ids."""

    def __init__(self) -> None:
        self._shown: dict[str, Any] = {}

    @property
    def table_names(self) -> list[str]:  # type: ignore[override]
        """None: they are not for listings."""
        return []

    def show(self, name: str, table: Any) -> None:
        """Let queries of the statement see a table."""
        self._shown[name] = table

    def table_exist(self, name: str) -> bool:
        """Return whether there is such a table."""
        return name in self._shown

    def table(self, name: str) -> DataFusionTable | None:
        """Return the table, or None."""
        return self._shown.get(name)


class Catalog(CatalogProvider):
    """The one catalog of a workspace, as one statement sees it.

    Attributes:
        reading: what the statement's text reads.
        tables: the schema of names without a schema.
    """

    def __init__(
        self,
        workspace: Workspace,
        expand: Callable[[tuple[str, str], View], DataFrame],
        server: Mapping[str, Callable[[], pa.Table]] | None = None,
    ) -> None:
        self._workspace = workspace
        self._expand = expand
        self.reading = Reading()
        self.tables = Tables(workspace.schemas.public, self.reading, expand)
        self._targets = Targets()
        self._schemas: dict[str, SchemaProvider] = {
            SCHEMA: self.tables,
            SYSTEM_SCHEMA: SystemTables(workspace, self.reading, server or {}),
        }

    def open(self, place: Place) -> Table:
        """Return the version of a table that this statement sees throughout.

        Raises:
            UndefinedTable: there is no such table.
        """
        return self._tables_of(place.space).open(place.name)

    def _tables_of(self, space: Space) -> Tables:
        if space.schema == SCHEMA:
            return self.tables
        return Tables(space, self.reading, self._expand)

    def set_target(self, table: Table) -> None:
        """Show the table that the statement changes, with row ids, to its query."""
        name = f"{TARGET_SCHEMA}.{table.name}"
        target = LanceTable(table, name, row_ids=True)
        self.reading.handed_out.append(target)
        self.show(table.name, target)

    def show(self, name: str, table: Any) -> str:
        """Show a table to the queries of this statement; return its qualified name."""
        self._targets.show(name, table)
        self._schemas[TARGET_SCHEMA] = self._targets
        return f"{TARGET_SCHEMA}.{quote(name)}"

    def schema_names(self) -> set[str]:
        """Names of the schemas (information_schema is DataFusion's own)."""
        return {*self._schemas, *self._workspace.schemas.names()}

    # The stub wants DataFusion's own Schema; it takes any provider.
    def schema(self, name: str) -> SchemaProvider | None:  # type: ignore[override]
        """Return the schema, or None."""
        if name in self._schemas or not self._workspace.schemas.exists(name):
            return self._schemas.get(name)
        try:
            return self._tables_of(self._workspace.schemas.open(name))
        except ThanoSQLError:
            return None  # dropped meanwhile


def table_infos(
    workspace: Workspace,
    *,
    columns: bool,
    wanted: Callable[[str, str, str], bool] | None = None,
) -> Iterator[TableInfo]:
    """Yield the tables of every schema, in order, with their columns if asked for."""
    for space, name in workspace.schemas.tables():
        if wanted and not wanted(CATALOG, space.schema, name):
            continue
        try:
            schema = space.tables.open(name).schema if columns else None
        except ThanoSQLError:
            continue  # dropped meanwhile, or broken: no reason to list nothing
        yield TableInfo(CATALOG, space.schema, name, "TABLE", schema)
    for name, system in sorted(system_schemas().items()):
        schema = system if columns else None
        if wanted and not wanted(CATALOG, SYSTEM_SCHEMA, name):
            continue
        yield TableInfo(CATALOG, SYSTEM_SCHEMA, name, "SYSTEM TABLE", schema)
