import gc

import pytest

from thanosql_proto.any import unpack
from thanosql_server.errors import Cancelled, ResourceExhausted
from thanosql_server.flight.handles import Running, Statement


class Context:
    """What pyarrow hands to a handler, as far as a run looks at it."""

    gone = False

    def is_cancelled(self):
        return self.gone


def test_ticket_holds_the_whole_statement():
    statement = Statement("SELECT ?", b"parameters", "mine")
    assert Statement.of_ticket(unpack(statement.ticket())) == statement


def test_statements_get_ids_of_their_own():
    assert Statement("SELECT 1").id != Statement("SELECT 1").id


def test_run_stops_when_its_client_has_gone():
    context = Context()
    run = Running().start("mine", context)
    run.check()
    context.gone = True
    with pytest.raises(Cancelled):
        run.check()


def test_cancel_reaches_every_run_of_the_id_and_no_other():
    running = Running()
    runs = [running.start(id, Context()) for id in ("a", "a", "b")]
    assert running.cancel("a")
    assert [run.control.cancelled for run in runs] == [True, True, False]


def test_finished_run_is_not_found():
    running = Running()
    run = running.start("mine", Context())
    running.finish(run)
    assert not running.cancel("mine")


def test_forgotten_run_does_not_stay_on_the_list():
    running = Running()
    running.start("mine", Context())
    gc.collect()
    assert not running.cancel("mine")


def test_closed_list_takes_no_more_and_cancels_what_runs():
    running = Running()
    run = running.start("mine", Context())
    running.close(grace=0.05)
    assert run.control.cancelled
    with pytest.raises(ResourceExhausted, match="shutting down"):
        running.start("more", Context())
