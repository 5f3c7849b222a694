"""GET THANOSQL: brings data sets and models of hubs into the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_server.engine.actions import action, text_parameters
from thanosql_server.engine.fetched import place_model
from thanosql_server.errors import InvalidStatement, ThanoSQLError

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.control import Control
    from thanosql_server.engine.plan import Plan
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.sql.nodes import GetThanosql
    from thanosql_server.sql.options import Options

DATASET_OPTIONS = ("overwrite",)
MODEL_OPTIONS = ("overwrite", "model_name")


def get(planning: Planning, node: GetThanosql) -> Plan:
    """GET THANOSQL DATASET|MODEL name: bring files or a model into the workspace."""
    options = node.options
    if planning.arguments is not None:
        options = options.bind([value.as_py() for value in planning.arguments])
    what = f"GET THANOSQL {node.what}"
    known = DATASET_OPTIONS if node.what == "DATASET" else MODEL_OPTIONS
    options.require_known(known, what)
    work = _get_dataset if node.what == "DATASET" else _get_model
    return action(work(planning, node, options), text_parameters(node.parameter_count))


def _get_dataset(
    planning: Planning, node: GetThanosql, options: Options
) -> Callable[[Control], int]:
    overwrite = options.flag("overwrite", False)
    if node.alias is not None:
        raise InvalidStatement(
            "a data set keeps its name; leave out AS", position=node.name_position
        )
    hubs = planning.environment.workspace.hubs

    def work(control: Control) -> int:
        offer = hubs.offers.find("datasets", node.name, control)
        hubs.get_dataset(offer, control, overwrite=overwrite)
        return -1

    return _placed(work, node.name_position)


def _get_model(
    planning: Planning, node: GetThanosql, options: Options
) -> Callable[[Control], int]:
    overwrite = options.flag("overwrite", False)
    wanted = options.text("model_name")
    if None not in (wanted, node.alias) and wanted != node.alias:
        raise InvalidStatement(
            f"the model cannot be called both '{wanted}' and '{node.alias}'; "
            "leave out model_name or AS",
            position=options.position("model_name"),
        )
    name = (wanted or node.alias or node.name).lower()
    hubs = planning.environment.workspace.hubs

    def work(control: Control) -> int:
        offer = hubs.offers.find("models", node.name, control)
        hubs.get_model(offer, name, control, overwrite=overwrite, place=place_model)
        return -1

    return _placed(work, node.name_position)


def _placed(
    work: Callable[[Control], int], position: Position
) -> Callable[[Control], int]:
    """Return the same work; its errors point at the name in the statement."""

    def placed(control: Control) -> int:
        try:
            return work(control)
        except ThanoSQLError as error:
            raise error.at(position) from None

    return placed
