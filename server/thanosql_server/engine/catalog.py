"""The workspace as DataFusion's catalog: new tables appear at once.

Each statement gets a catalog of its own, which remembers the table objects it handed
out, so that the planner can leave hints on them and nobody else sees these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from datafusion.catalog import CatalogProvider, SchemaProvider

from thanosql_server.engine.column_listing import (
    COLUMN_SCHEMA,
    VIEW_SCHEMA,
    columns_table,
    views_table,
)
from thanosql_server.engine.index_listing import INDEX_SCHEMA, indexes_table
from thanosql_server.engine.provider import LanceTable, RowsTable
from thanosql_server.engine.session import CATALOG, SCHEMA
from thanosql_server.errors import InvalidStatement, ThanoSQLError, UndefinedTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from datafusion import DataFrame
    from datafusion.catalog import Table as DataFusionTable

    from thanosql_server.storage.tables import Table
    from thanosql_server.storage.views import View
    from thanosql_server.storage.workspace import Workspace

SYSTEM_SCHEMA = "thanosql"

DEEPEST_VIEWS = 32
"""How many views may read one another; each has a planning and a thread of its own."""

TARGET_SCHEMA = "__target"
"""Holds the table that a statement changes, with the row ids as a column."""

MODEL_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("class_name", pa.string()),
        pa.field("dim", pa.int64()),
        pa.field("last_updated_utc", pa.timestamp("us", "UTC")),
        pa.field("pictures", pa.int64()),
        pa.field("epochs", pa.int64()),
        pa.field("seconds", pa.float64()),
        pa.field("final_loss", pa.float64()),
    ]
)


@dataclass(frozen=True)
class TableInfo:
    """One table as metadata commands list it; `columns` only when asked for."""

    catalog: str
    schema: str
    name: str
    kind: str
    columns: pa.Schema | None = None


class Tables(SchemaProvider):
    """The stored tables of the workspace, and its views."""

    def __init__(
        self, workspace: Workspace, expand: Callable[[str, View], DataFrame]
    ) -> None:
        self._tables = workspace.tables
        self._views = workspace.views
        self._expand = expand
        self._opened: dict[str, Table] = {}
        self._frames: dict[str, DataFrame] = {}
        self.path: tuple[str, ...] = ()
        self.used: set[str] = set()
        self.handed_out: list[LanceTable] = []
        self.failure: ThanoSQLError | None = None

    def share(self, other: Tables) -> None:
        """See what another text sees, that of a statement that reads a view."""
        self._opened, self._frames = other._opened, other._frames
        self.used, self.handed_out = other.used, other.handed_out

    # DataFusion reads this as an attribute that is a list, whatever the stub says.
    @property
    def table_names(self) -> list[str]:  # type: ignore[override]
        """Names of the stored tables and of the views."""
        return sorted({*self._tables.names(), *self._views.names()})

    def table_exist(self, name: str) -> bool:
        """Return whether there is such a table or view."""
        return self._tables.exists(name) or self._views.exists(name)

    # The stub knows no data frames.
    def table(self, name: str) -> Any:
        """Return the table's newest version, or a view's query, or None."""
        self.used.add(name)
        try:
            if self._views.exists(name):
                return self._view(name)
            table = self._stored(name)
        except ThanoSQLError as error:
            # A broken one must not break the listing of all others.
            self.failure = error
            return None
        if table is not None:
            self.handed_out.append(table)
        return table

    def _stored(self, name: str) -> LanceTable | None:
        try:
            return LanceTable(self.open(name))
        except UndefinedTable:
            return None

    def _view(self, name: str) -> DataFrame:
        if name in self.path:
            around = " -> ".join([*self.path[self.path.index(name) :], name])
            raise InvalidStatement(f"views read each other in a circle: {around}")
        if len(self.path) >= DEEPEST_VIEWS:
            raise InvalidStatement(f"more than {DEEPEST_VIEWS} views read each other")
        if name not in self._frames:
            try:
                self._frames[name] = self._expand(name, self._views.open(name))
            except ThanoSQLError as error:
                message = f"view '{name}' cannot be used: {error.message}"
                raise type(error)(message) from None
        return self._frames[name]

    def open(self, name: str) -> Table:
        """Return the version of a table that this statement sees throughout.

        Raises:
            UndefinedTable: there is no such table.
        """
        if name not in self._opened:
            self._opened[name] = self._tables.open(name)
        return self._opened[name]


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


class SystemTables(SchemaProvider):
    """Read-only tables about the server itself."""

    def __init__(self, workspace: Workspace) -> None:
        self._rows: dict[str, Callable[[], pa.Table]] = {
            "models": lambda: models_table(workspace),
            "columns": lambda: columns_table(workspace),
            "indexes": lambda: indexes_table(workspace),
            "views": lambda: views_table(workspace),
        }

    @property
    def table_names(self) -> list[str]:  # type: ignore[override]
        """Names of the system tables."""
        return sorted(self._rows)

    def table_exist(self, name: str) -> bool:
        """Return whether there is such a system table."""
        return name in self._rows

    def table(self, name: str) -> DataFusionTable | None:
        """Return the rows as of now, or None."""
        rows = self._rows.get(name)
        return RowsTable(rows()) if rows else None


class Catalog(CatalogProvider):
    """The one catalog of a workspace, as one statement sees it."""

    def __init__(
        self, workspace: Workspace, expand: Callable[[str, View], DataFrame]
    ) -> None:
        self.tables = Tables(workspace, expand)
        self._targets = Targets()
        self._schemas: dict[str, SchemaProvider] = {
            SCHEMA: self.tables,
            SYSTEM_SCHEMA: SystemTables(workspace),
        }

    def set_target(self, table: Table) -> None:
        """Show the table that the statement changes, with row ids, to its query."""
        target = LanceTable(table, row_ids=True)
        self.tables.handed_out.append(target)
        self.show(table.name, target)

    def show(self, name: str, table: Any) -> None:
        """Show a table to the queries of this statement, in the schema for targets."""
        self._targets.show(name, table)
        self._schemas[TARGET_SCHEMA] = self._targets

    def schema_names(self) -> set[str]:
        """Names of the schemas (information_schema is DataFusion's own)."""
        return set(self._schemas)

    # The stub wants DataFusion's own Schema; it takes any provider.
    def schema(self, name: str) -> SchemaProvider | None:  # type: ignore[override]
        """Return the schema, or None."""
        return self._schemas.get(name)


def models_table(workspace: Workspace) -> pa.Table:
    """Return one row per trained or fetched model."""
    rows = [
        {
            "name": model.name,
            "class_name": model.config.get("family"),
            "dim": model.config.get("dim"),
            "last_updated_utc": model.created,
            "pictures": model.metrics.get("pictures"),
            "epochs": len(model.metrics.get("epochs") or ()) or None,
            "seconds": model.metrics.get("seconds"),
            "final_loss": (model.metrics.get("epochs") or [{}])[-1].get("loss"),
        }
        for model in workspace.models.list()
    ]
    return pa.Table.from_pylist(rows, schema=MODEL_SCHEMA)


def table_infos(workspace: Workspace, *, columns: bool) -> Iterator[TableInfo]:
    """Yield every table of every schema, in order, with its columns if asked for."""
    for name in workspace.tables.names():
        try:
            schema = workspace.tables.open(name).schema if columns else None
        except ThanoSQLError:
            continue  # dropped meanwhile, or broken: never a reason to list nothing
        yield TableInfo(CATALOG, SCHEMA, name, "TABLE", schema)
    systems = {
        "columns": COLUMN_SCHEMA,
        "indexes": INDEX_SCHEMA,
        "models": MODEL_SCHEMA,
        "views": VIEW_SCHEMA,
    }
    for name, system in systems.items():
        schema = system if columns else None
        yield TableInfo(CATALOG, SYSTEM_SCHEMA, name, "SYSTEM TABLE", schema)
