"""The engine: statements in, plans out. What everything above it talks to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from thanosql_server.control import Control
from thanosql_server.engine import (
    actions,
    alters,
    changes,
    definitions,
    direct_inserts,
    exports,
    fresh_search,
    hub,
    indexes,
    inserts,
    refreshing,
    schemas,
    settings,
    storing,
    upserts,
    versions,
    views,
)
from thanosql_server.engine import query as queries
from thanosql_server.engine.catalog import (
    TableInfo,
    table_infos,
)
from thanosql_server.engine.clauses import DECODE_THREADS_MINIMUM
from thanosql_server.engine.constants import ConstantQueries
from thanosql_server.engine.encoders import Encoders
from thanosql_server.engine.filling import Filler
from thanosql_server.engine.fresh_keeper import FreshKeeper
from thanosql_server.engine.freshness import Freshness
from thanosql_server.engine.index_keeper import IndexKeeper
from thanosql_server.engine.ingest import Ingest, ingest
from thanosql_server.engine.models import Models
from thanosql_server.engine.permissions import check_statement
from thanosql_server.engine.plan import Plan
from thanosql_server.engine.planning import Environment, Planning, check_count
from thanosql_server.engine.quick import QuickSearches
from thanosql_server.engine.session import CATALOG, Contexts
from thanosql_server.engine.system_tables import SYSTEM_SCHEMA
from thanosql_server.engine.table_keeper import TableKeeper
from thanosql_server.errors import InvalidStatement, NotSupported, Position
from thanosql_server.ml.placement import Placement
from thanosql_server.search.graphs import Graphs
from thanosql_server.search.int8_product import Int8Product
from thanosql_server.search.nearest import Nearest
from thanosql_server.search.resident import Residents
from thanosql_server.sql import nodes
from thanosql_server.sql import settings as settings_nodes
from thanosql_server.sql.exports import CopyTo
from thanosql_server.sql.indexes import CreateIndex, DropIndex, ShowIndexes
from thanosql_server.sql.parser import parse
from thanosql_server.sql.refresh import RefreshTable
from thanosql_server.sql.upserts import Upsert
from thanosql_server.sql.versions import (
    Optimize,
    RestoreTable,
    ShowVersions,
    Vacuum,
)
from thanosql_server.storage.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from thanosql_server.activity import Activity
    from thanosql_server.config import Config


class Engine:
    """Plans and runs statements on one workspace; safe from any thread."""

    def __init__(self, config: Config) -> None:
        placement = Placement.of(config.device, config.precision)
        workspace = Workspace.open(config)
        models = Models(workspace, fetch=config.fetch_models)
        residents = Residents(config.search_memory, config.threads)
        graphs = Graphs(workspace.indexes, residents, config.threads)
        self._keeper = IndexKeeper(
            workspace, graphs, max(1, config.threads // 2), config.search_memory
        )
        graphs.lags = self._keeper.wake
        self._table_keeper = TableKeeper(workspace, self._keeper.wake)
        nearest = Nearest(residents, Int8Product(config.threads), graphs)
        encoders = Encoders(workspace, models, config.threads, placement=placement)
        freshness = Freshness(models, encoders)
        threads = max(DECODE_THREADS_MINIMUM, config.threads)
        filler = Filler(workspace, models, encoders, freshness, threads)
        self._fresh = FreshKeeper(filler, self._keeper.wake)
        self._environment = Environment(
            workspace=workspace,
            contexts=Contexts(config, workspace.spill_folder),
            models=models,
            encoders=encoders,
            nearest=nearest,
            graphs=graphs,
            quick=QuickSearches(workspace.tables, nearest, models, encoders, freshness),
            constants=ConstantQueries(),
            filler=filler,
            keeper=self._fresh,
            threads=config.threads,
            search_memory=config.search_memory,
        )
        self._fresh.start()

    def plan(
        self,
        sql: str,
        parameters: Sequence[pa.Scalar] | None = None,
        control: Control | None = None,
    ) -> Plan:
        """Understand one statement without running it.

        Args:
            sql: the text of one statement.
            parameters: a value for each `?` or `$n`, or None to learn their types.
            control: of the run that follows; stops the planning, too, and says whose
                statement it is. Without one anything is allowed.

        Raises:
            ThanoSQLError: whatever is wrong, with its place in the text.
        """
        quick = self._environment.quick.plan(sql, parameters)
        if quick is not None:
            return quick
        control = control or Control()
        known = self._environment.constants.plan(sql, parameters, control)
        if known is not None:
            return known
        statement = parse(sql)
        check_statement(statement, control)
        if isinstance(statement, nodes.Insert):
            workspace = self._environment.workspace
            direct = direct_inserts.plan(workspace, statement, parameters)
            if direct is not None:
                return self._tended(direct)
        planning = Planning(self._environment, statement, parameters, control=control)
        _check_prints(statement)
        plan = _PLANNERS[type(statement)](planning, statement)
        if _changes(plan, statement):
            plan = self._tended(plan, isinstance(statement, _DEFINING))
        if parameters is None and statement.parameter_count:
            return replace(plan, execute=_without_values(statement))
        return plan

    def plan_rows(
        self,
        sql: str,
        rows: pa.RecordBatchReader,
        control: Control | None = None,
    ) -> Plan | None:
        """Understand a statement that is to run for many rows of parameters at once.

        Returns:
            A plan that runs it for all rows, whole or not at all; None if it must run
            once for each row, and then no row has been read.
        """
        statement = parse(sql)
        if not isinstance(statement, nodes.Insert):
            return None
        control = control or Control()
        check_statement(statement, control)
        check_count(statement, rows.schema.names)
        planning = Planning(self._environment, statement, control=control)
        plan = (
            upserts.upsert_rows(planning, statement, rows)
            if isinstance(statement, Upsert)
            else inserts.insert_rows(planning, statement, rows)
        )
        return None if plan is None else self._tended(plan)

    def _tended(self, plan: Plan, defines: bool = False) -> Plan:
        """Return a plan that changes tables; indexes and the like are looked at then.

        Args:
            plan: of the statement.
            defines: whether there may be other generated columns, or models, after it.
        """

        def execute(control: Control) -> Iterator[pa.RecordBatch | None]:
            try:
                yield from plan.execute(control)
            finally:
                self._keeper.wake()
                self._fresh.wake(whole=defines)
                self._table_keeper.wake()

        return replace(plan, execute=execute)

    def ingest(
        self,
        target: Ingest,
        rows: pa.RecordBatchReader,
        control: Control | None = None,
    ) -> Plan:
        """Return the plan that loads rows into a table; no row has been read then.

        Raises:
            PermissionDenied: the caller may only read.
            ThanoSQLError: no table can be there; what else is wrong shows in the run.
        """
        control = control or Control()
        check_statement(target, control)
        planning = Planning(self._environment, target, control=control)
        return self._tended(ingest(planning, target, rows))

    @property
    def activity(self) -> Activity:
        """What runs and ran; whoever serves clients keeps it."""
        return self._environment.activity

    def catalogs(self) -> list[str]:
        """Return the names of the catalogs."""
        return [CATALOG]

    def schemas(self) -> list[tuple[str, str]]:
        """Return the pairs of catalog and schema."""
        names = [*self._environment.workspace.schemas.names(), SYSTEM_SCHEMA]
        return [(CATALOG, name) for name in names]

    def tables(
        self,
        *,
        columns: bool = False,
        wanted: Callable[[str, str, str], bool] | None = None,
    ) -> Iterator[TableInfo]:
        """Yield tables and views, with their columns if asked for.

        Args:
            columns: whether to open each table, and plan each view, for its columns.
            wanted: of catalog, schema and name; None for all.
        """
        environment = self._environment
        yield from table_infos(environment.workspace, columns=columns, wanted=wanted)
        yield from views.view_infos(environment, columns=columns, wanted=wanted)

    def preload(self) -> None:
        """Import the code of the workspace's models, which takes seconds."""
        self._environment.models.preload()

    def close(self) -> None:
        """Leave the workspace in order; no statement may run any more."""
        self._fresh.close()
        self._table_keeper.close()
        self._keeper.close()
        self._environment.workspace.close()


def _without_values(
    statement: nodes.Statement,
) -> Callable[[Control], Iterator[pa.RecordBatch | None]]:
    """Return how a statement runs that was planned to be described only."""

    def execute(control: Control) -> Iterator[pa.RecordBatch | None]:
        check_count(statement, ())
        return iter(())

    return execute


def _select(planning: Planning, statement: nodes.SelectStatement) -> Plan:
    frame = planning.frame(statement.query)
    schema = queries.announced_schema(planning, frame)
    if not len(schema):
        raise InvalidStatement("the query has no columns; select some, or * for all")
    planning.environment.constants.learn(planning, statement, frame)
    used = planning.catalog.reading.used
    parameters = planning.parameter_schema(frame)
    if storing.stored_clauses(statement):
        return Plan(
            schema,
            lambda control: storing.run(planning, statement, schema, control),
            parameters,
        )
    query = statement.query
    return Plan(
        schema,
        lambda control: fresh_search.rows(planning, query, frame, schema, control),
        parameters,
        # Tables about the server are about the statement that planned them.
        lasts=all(schema != SYSTEM_SCHEMA for schema, _ in used),
    )


def _changes(plan: Plan, statement: nodes.Statement) -> bool:
    """Return whether a statement may change tables."""
    if isinstance(statement, nodes.SelectStatement):
        return bool(storing.stored_clauses(statement))
    return not plan.returns_rows


def _show_indexes(planning: Planning, statement: ShowIndexes) -> Plan:
    listed = parse(indexes.listing(planning, statement))
    assert isinstance(listed, nodes.SelectStatement)  # it is our own text
    return _select(Planning(planning.environment, listed, ()), listed)


def _check_prints(statement: nodes.Statement) -> None:
    """Refuse PRINT anywhere but as the whole statement.

    Its files are read as the rows leave the server, and not for a query around it.
    """
    for query in statement.queries:
        whole = query.clause if isinstance(statement, nodes.SelectStatement) else None
        for clause in query.walk():
            if isinstance(clause, nodes.Print) and clause is not whole:
                raise NotSupported(
                    "PRINT stands at the beginning of a statement, not inside a query",
                    position=Position.of(statement.text, clause.span.start),
                )


def _unsupported(planning: Planning, statement: nodes.Unsupported) -> Plan:
    raise NotSupported(
        f"{statement.verb} is not supported yet",
        position=Position.of(statement.text, statement.span.start),
    )


_DEFINING = (
    nodes.CreateTable,
    nodes.AlterTable,
    nodes.BuildModel,
    nodes.GetThanosql,
    RestoreTable,
)
"""Statements after which there may be generated columns, or models, that are new."""

_PLANNERS: dict[type, Callable[[Planning, Any], Plan]] = {
    nodes.SelectStatement: _select,
    nodes.BuildModel: actions.build_model,
    nodes.Copy: actions.copy,
    CopyTo: exports.copy_to,
    nodes.CreateTableUsing: actions.create_table_using,
    nodes.CreateTable: definitions.create_table,
    nodes.AlterTable: alters.alter_table,
    nodes.Comment: definitions.comment,
    nodes.CreateSchema: schemas.create_schema,
    nodes.DropSchema: schemas.drop_schema,
    nodes.CreateTableAs: actions.create_table_as,
    nodes.Insert: inserts.insert,
    Upsert: upserts.upsert,
    nodes.Delete: changes.delete,
    nodes.Update: changes.update,
    nodes.Truncate: changes.truncate,
    nodes.CreateView: views.create_view,
    nodes.DropView: views.drop_view,
    nodes.DropTable: actions.drop_table,
    ShowVersions: versions.show_versions,
    RestoreTable: versions.restore_table,
    Optimize: versions.optimize,
    Vacuum: versions.vacuum,
    RefreshTable: refreshing.refresh_table,
    nodes.DeleteModel: actions.delete_model,
    CreateIndex: indexes.create_index,
    DropIndex: indexes.drop_index,
    ShowIndexes: _show_indexes,
    nodes.GetThanosql: hub.get,
    nodes.Unsupported: _unsupported,
    settings_nodes.SetSetting: settings.set_setting,
    settings_nodes.ResetSetting: settings.reset_setting,
    settings_nodes.ShowSetting: settings.show_setting,
    settings_nodes.ShowStatements: settings.show_statements,
    settings_nodes.CancelStatement: settings.cancel_statement,
}
