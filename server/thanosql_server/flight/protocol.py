"""What the service needs from an engine; `engine/engine.py` has it, and so do tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

    from thanosql_server.activity import Activity
    from thanosql_server.control import Control
    from thanosql_server.engine.ingest import Ingest
    from thanosql_server.engine.plan import Plan


class TableInfo(Protocol):
    """One table as the metadata commands list it."""

    @property
    def catalog(self) -> str:
        """Name of the catalog."""

    @property
    def schema(self) -> str:
        """Name of the schema."""

    @property
    def name(self) -> str:
        """Name of the table."""

    @property
    def kind(self) -> str:
        """`TABLE`, `VIEW` or `SYSTEM TABLE`."""

    @property
    def columns(self) -> pa.Schema | None:
        """The columns, None if they were not asked for or cannot be read."""


class Engine(Protocol):
    """Understands and runs statements; raises ThanoSQLError and nothing else."""

    @property
    def activity(self) -> Activity:
        """What runs and ran; the service keeps it."""

    def plan(
        self,
        sql: str,
        parameters: Sequence[pa.Scalar] | None,
        control: Control,
    ) -> Plan:
        """Understand one statement without running it; `control` stops that.

        It also says whose statement it is, and so what it may do.

        None for `parameters` means that they are not known yet: the plan then has the
        schemas of the result and of the parameters, and cannot run if it needs any.
        """

    def plan_rows(
        self,
        sql: str,
        rows: pa.RecordBatchReader,
        control: Control,
    ) -> Plan | None:
        """Understand a statement that is to run for many rows of parameters at once.

        None if it must run once for each row; no row has been read then.
        """

    def ingest(
        self,
        target: Ingest,
        rows: pa.RecordBatchReader,
        control: Control | None = None,
    ) -> Plan:
        """Understand that rows are to be loaded into a table; reads none of them."""

    def catalogs(self) -> list[str]:
        """Return the catalogs, the default one first."""

    def schemas(self) -> list[tuple[str, str]]:
        """Return the schemas as (catalog, schema), the default one first."""

    def tables(
        self,
        *,
        columns: bool,
        wanted: Callable[[str, str, str], bool] | None = None,
    ) -> Iterable[TableInfo]:
        """Yield the tables, with their columns if asked for.

        Args:
            columns: whether to open each table for its columns.
            wanted: of catalog, schema and name; None for all tables.
        """
