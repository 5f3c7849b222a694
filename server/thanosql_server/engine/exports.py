"""COPY ... TO: rows of a table or a query into a file of the workspace."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from thanosql_server.engine import query as queries
from thanosql_server.engine.actions import action, path_of
from thanosql_server.engine.targets import at
from thanosql_server.storage.exporters import NewFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.exports import CopyTo

OPTIONS = ("overwrite",)


def copy_to(planning: Planning, node: CopyTo) -> Plan:
    """COPY t|(query) TO 'file': the file appears when it is whole."""
    options = planning.bound(node.options)
    options.require_known(OPTIONS, "COPY ... TO")
    overwrite = options.flag("overwrite", False)
    pieces = ("SELECT * FROM ", node.rows) if node.is_table else (node.rows,)
    frame = planning.spliced(*pieces)
    schema = planning.columns(frame)
    workspace = planning.environment.workspace
    shown = path_of(planning, node.target, node.position, "TO")
    if planning.arguments is not None:
        at(node.position, partial(_target, planning, shown, overwrite))

    def rows(control: Control) -> Iterator[pa.RecordBatch]:
        written = 0
        for batch in queries.rows(planning, frame, schema, control):
            control.check()
            if batch is not None:
                yield batch
                written += batch.num_rows
                control.report("writing", written)

    def work(control: Control) -> int:
        target = at(node.position, partial(_target, planning, shown, overwrite))
        return target.write(schema, rows(control), workspace.scratch)

    return action(work, planning.parameter_schema(frame))


def _target(planning: Planning, shown: str, overwrite: bool) -> NewFile:
    path = planning.environment.workspace.paths.new_file(shown)
    return NewFile(path, shown, overwrite=overwrite)
