"""Plans that GetFlightInfo keeps for the DoGet that follows."""

import gc
import time
import weakref

import pytest

from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_proto.any import pack, unpack
from thanosql_proto.flight_sql import CommandStatementQuery, TicketStatementQuery
from thanosql_proto.thanosql import StatementHandle
from thanosql_server.callers import Caller, Role
from thanosql_server.control import Control
from thanosql_server.engine.plan import Plan
from thanosql_server.flight import ahead
from thanosql_server.flight.ahead import PlansAhead
from thanosql_server.flight.handles import Statement
from thanosql_server.settings import Settings

ADA = Caller("ada", Role.WRITER, "session-of-ada")
PEOPLE_QUERY = CommandStatementQuery(query="LASTING people")


def lasting():
    return Plan(PEOPLE.schema, lambda control: iter(PEOPLE.to_batches()), lasts=True)


def control(caller=ADA, **values):
    settings = Settings()
    for name, value in values.items():
        settings.set(name, value)
    return Control(settings, caller=caller)


@pytest.fixture
def plans():
    return PlansAhead()


def test_a_plan_is_taken_once(plans):
    statement, plan = Statement("SELECT 1"), lasting()
    plans.keep(statement, plan, control())
    assert plans.take(statement, control()) is plan
    assert plans.take(statement, control()) is None
    assert len(plans) == 0


@pytest.mark.parametrize(
    "later",
    [
        control(Caller("ada", Role.READER, "session-of-ada")),
        control(Caller("ada", Role.WRITER, "another-session")),
        control(Caller("eve", Role.ADMIN, "session-of-ada")),
        control(statement_timeout=3.0),
    ],
    ids=["role", "session", "user", "setting"],
)
def test_a_plan_is_for_its_caller_as_it_was(plans, later):
    statement = Statement("SELECT 1")
    plans.keep(statement, lasting(), control())
    assert plans.take(statement, later) is None


def test_settings_that_are_set_meanwhile_make_a_plan_useless(plans):
    statement, own = Statement("SELECT 1"), control()
    plans.keep(statement, lasting(), own)
    own.settings.set("search.exact", True)
    assert plans.take(statement, own) is None


def test_a_ticket_with_another_text_under_a_known_id_gets_no_plan(plans):
    plans.keep(Statement("SELECT 1", id="mine"), lasting(), control())
    assert plans.take(Statement("SELECT 2", id="mine"), control()) is None


@pytest.mark.parametrize(
    ("statement", "plan"),
    [
        (Statement("SELECT ?", b"values"), lasting()),
        (Statement("x" * (ahead.LONGEST + 1)), lasting()),
        (Statement("SELECT 1"), Plan(PEOPLE.schema, iter)),
    ],
    ids=["parameters", "long text", "does not last"],
)
def test_some_plans_are_not_kept(plans, statement, plan):
    plans.keep(statement, plan, control())
    assert len(plans) == 0


def test_plans_nobody_comes_for_are_few_and_go(plans, monkeypatch):
    first = lasting()
    plans.keep(Statement("first"), first, control())
    for number in range(ahead.MOST_KEPT):
        plans.keep(Statement(str(number)), lasting(), control())
    assert len(plans) == ahead.MOST_KEPT
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    monkeypatch.setattr(ahead, "KEPT_SECONDS", 0.01)
    time.sleep(0.02)
    assert len(plans) == 0


def test_a_statement_that_is_described_is_planned_once(client, engine):
    info = client.info(PEOPLE_QUERY)
    ticket = info.endpoints[0].ticket.ticket
    assert client.get(ticket).read_all() == PEOPLE
    assert len(engine.planned) == 1
    assert client.get(ticket).read_all() == PEOPLE
    assert len(engine.planned) == 2


def test_get_schema_keeps_no_plan(client, server):
    client.schema(PEOPLE_QUERY)
    assert len(server._service.ahead) == 0
    client.info(PEOPLE_QUERY)
    assert len(server._service.ahead) == 1


def test_another_text_in_a_ticket_is_planned(client, engine):
    info = client.info(PEOPLE_QUERY)
    ticket = unpack(info.endpoints[0].ticket.ticket)
    handle = StatementHandle.FromString(ticket.statement_handle)
    handle.query = "SELECT * FROM nobody"
    forged = TicketStatementQuery(statement_handle=handle.SerializeToString())
    error, _ = client.failure(lambda: client.get(pack(forged)).read_all())
    assert "there is no table 'nobody'" in str(error)


def test_plans_end_with_the_server(client, server):
    client.info(PEOPLE_QUERY)
    service = server._service
    server.shutdown()
    assert len(service.ahead) == 0
