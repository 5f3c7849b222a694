"""What each kind of statement asks of its caller: the one table of roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.callers import Role
from thanosql_server.engine.ingest import Ingest
from thanosql_server.engine.storing import stored_clauses
from thanosql_server.errors import PermissionDenied
from thanosql_server.sql import nodes, settings
from thanosql_server.sql.exports import CopyTo
from thanosql_server.sql.indexes import CreateIndex, DropIndex, ShowIndexes
from thanosql_server.sql.refresh import RefreshTable
from thanosql_server.sql.upserts import Upsert
from thanosql_server.sql.versions import Optimize, RestoreTable, ShowVersions, Vacuum

if TYPE_CHECKING:
    from thanosql_server.control import Control

LEAST_ROLE: dict[type[nodes.Statement], Role] = {
    nodes.SelectStatement: Role.READER,
    settings.SetSetting: Role.READER,
    settings.ResetSetting: Role.READER,
    settings.ShowSetting: Role.READER,
    settings.ShowStatements: Role.READER,
    settings.CancelStatement: Role.READER,  # one's own; see `activity`
    nodes.Unsupported: Role.READER,
    nodes.BuildModel: Role.WRITER,
    nodes.Copy: Role.WRITER,
    CopyTo: Role.WRITER,
    CreateIndex: Role.WRITER,
    DropIndex: Role.WRITER,
    ShowIndexes: Role.READER,
    Ingest: Role.WRITER,
    ShowVersions: Role.READER,
    RestoreTable: Role.WRITER,
    RefreshTable: Role.WRITER,
    Optimize: Role.WRITER,
    Vacuum: Role.WRITER,
    nodes.CreateTableUsing: Role.WRITER,
    nodes.CreateTable: Role.WRITER,
    nodes.AlterTable: Role.WRITER,
    nodes.Comment: Role.WRITER,
    nodes.CreateSchema: Role.WRITER,
    nodes.DropSchema: Role.WRITER,
    nodes.CreateTableAs: Role.WRITER,
    nodes.Insert: Role.WRITER,
    Upsert: Role.WRITER,
    nodes.Delete: Role.WRITER,
    nodes.Update: Role.WRITER,
    nodes.Truncate: Role.WRITER,
    nodes.CreateView: Role.WRITER,
    nodes.DropView: Role.WRITER,
    nodes.DropTable: Role.WRITER,
    nodes.DeleteModel: Role.WRITER,
    nodes.GetThanosql: Role.WRITER,
}
"""By the type of the statement; what is not here needs an admin."""


def check_statement(statement: nodes.Statement, control: Control) -> None:
    """Raise PermissionDenied unless the caller may run the statement."""
    least = LEAST_ROLE.get(type(statement), Role.ADMIN)
    if isinstance(statement, nodes.SelectStatement) and stored_clauses(statement):
        least = Role.WRITER
    require(least, control)


def require(least: Role, control: Control) -> None:
    """Raise PermissionDenied unless the caller has the role, or a higher one."""
    caller = control.caller
    if caller.role < least:
        raise PermissionDenied(
            f"user '{caller.user}' is a {caller.role.title}; this statement needs "
            f"the role {least.title}"
        )
