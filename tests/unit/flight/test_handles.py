import gc
import threading
import time

import pytest

from thanosql_proto.any import unpack
from thanosql_server.activity import Activity
from thanosql_server.callers import Caller, Role
from thanosql_server.config import Limits
from thanosql_server.errors import (
    Cancelled,
    PermissionDenied,
    SessionEnded,
    ShuttingDown,
    TooManyStatements,
)
from thanosql_server.flight.auth import Admitted
from thanosql_server.flight.handles import LOOK_SECONDS, Running, Statement
from thanosql_server.flight.session_store import SessionStore

ADA = Caller("ada", Role.READER, "session-of-ada")
ADMIN = Caller("root", Role.ADMIN)


class Context:
    """What pyarrow hands to a handler, as far as a run looks at it."""

    gone = False

    def __init__(self, caller=ADA):
        self.admitted = Admitted(caller, None)

    def is_cancelled(self):
        return self.gone

    def get_middleware(self, key):
        return self.admitted


def new_running(activity=None, **limits):
    limits = Limits(**limits)
    activity = Activity() if activity is None else activity
    return Running(activity, SessionStore(limits), limits)


@pytest.fixture
def activity():
    return Activity()


@pytest.fixture
def running(activity):
    return new_running(activity)


def test_ticket_holds_the_whole_statement():
    statement = Statement("SELECT ?", b"parameters", "mine")
    assert Statement.of_ticket(unpack(statement.ticket())) == statement


def test_statements_get_ids_of_their_own():
    assert Statement("SELECT 1").id != Statement("SELECT 1").id


def test_run_stops_when_its_client_has_gone(running):
    context = Context()
    run = running.start("mine", context)
    run.check()
    context.gone = True
    time.sleep(LOOK_SECONDS)
    with pytest.raises(Cancelled):
        run.check()


def test_run_looks_after_its_client_now_and_then_and_at_its_control_always(running):
    context = Context()
    run = running.start("mine", context)
    asked = []
    context.is_cancelled = lambda: asked.append(time.monotonic())
    ends = time.monotonic() + 5 * LOOK_SECONDS
    while time.monotonic() < ends:
        run.check()
    assert 1 <= len(asked) <= 5
    run.control.cancel()
    with pytest.raises(Cancelled):
        run.check()


def test_cancel_reaches_every_run_of_the_id_and_no_other(running, activity):
    runs = [running.start(id, Context()) for id in ("a", "a", "b")]
    assert activity.cancel("a", ADA)
    assert [run.control.cancelled for run in runs] == [True, True, False]


def test_only_admins_cancel_what_belongs_to_others(running, activity):
    run = running.start("mine", Context())
    other = Caller("eve", Role.WRITER)
    with pytest.raises(PermissionDenied, match="belongs to another user"):
        activity.cancel("mine", other)
    assert activity.entries(other) == []
    assert not run.control.cancelled
    assert activity.cancel("mine", ADMIN)
    assert run.control.cancelled


def test_finished_run_is_not_found(running, activity):
    run = running.start("mine", Context(), "SELECT 1")
    [entry] = activity.entries(ADA)
    assert (entry.state, entry.text) == ("running", "SELECT 1")
    running.finish(run)
    assert not activity.cancel("mine", ADA)
    assert (entry.state, len(running)) == ("finished", 0)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("wrong"), "failed"),
        (Cancelled("stop"), "cancelled"),
        (GeneratorExit(), "cancelled"),
    ],
)
def test_the_way_a_run_ended_is_told(running, activity, error, state):
    with pytest.raises(type(error)), running.begun("mine", Context()):
        raise error
    [entry] = activity.entries(ADMIN)
    assert (entry.state, entry.message) == (state, str(error))


def test_forgotten_run_does_not_stay_on_the_list():
    activity = Activity()
    running = new_running(activity, max_statements=1)
    running.start("mine", Context())
    gc.collect()
    assert not activity.cancel("mine", ADA)
    assert activity.entries(ADA)[0].state == "cancelled"
    running.finish(running.start("more", Context()))  # its turn was given back


def test_only_so_many_ended_statements_are_remembered():
    activity = Activity(recent=3)
    running = new_running(activity)
    for number in range(10):
        running.finish(running.start(str(number), Context(), "x" * 20_000))
    entries = activity.entries(ADA)
    assert [entry.id for entry in entries] == ["9", "8", "7"]
    assert {len(entry.text) for entry in entries} == {10_000}


def test_closed_list_takes_no_more_and_cancels_what_runs(running):
    run = running.start("mine", Context())
    running.close(grace=0.05)
    with pytest.raises(Cancelled, match="server is shutting down"):
        run.check()
    with pytest.raises(ShuttingDown):
        running.start("more", Context())


def test_a_statement_waits_for_its_turn():
    running = new_running(max_statements=1)
    first = running.start("first", Context())
    order = []

    def wait(name):
        run = running.start(name, Context())
        order.append(name)
        running.finish(run)

    threads = []
    for number in range(3):
        threads.append(threading.Thread(target=wait, args=[number]))
        threads[-1].start()
        time.sleep(0.1)
    assert order == []
    running.finish(first)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]


def test_a_full_line_is_told_at_once_and_a_slow_one_in_time():
    running = new_running(max_statements=1, max_queue=1, queue_seconds=0.3)
    run = running.start("first", Context())
    refused = []

    def wait():
        with pytest.raises(TooManyStatements, match="runs 1 statements"):
            running.start("second", Context())
        refused.append(time.monotonic())

    began = time.monotonic()
    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.1)
    with pytest.raises(TooManyStatements):
        running.start("third", Context())
    assert refused == []
    waiting.join()
    assert 0.25 < refused[0] - began < 5
    running.finish(run)
    running.finish(running.start("fourth", Context()))


def test_statements_about_statements_do_not_wait():
    running = new_running(max_statements=1, max_queue=0)
    run = running.start("first", Context())
    for text in ("SHOW STATEMENTS", " cancel statement 'first'", "SET a = 1"):
        running.finish(running.start("second", Context(), text))
    running.finish(run)


@pytest.mark.parametrize("how", ["gone", "cancelled", "closed"])
def test_whoever_waits_can_be_stopped(how):
    activity = Activity()
    running = new_running(activity, max_statements=1)
    run = running.start("first", Context())
    context, failed = Context(), []

    def wait():
        with pytest.raises((Cancelled, ShuttingDown)) as caught:
            running.start("second", context)
        failed.append(type(caught.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    while len(activity.entries(ADA)) < 2:
        time.sleep(0.01)
    if how == "gone":
        context.gone = True
    elif how == "cancelled":
        assert activity.cancel("second", ADA)
    else:
        running.close(0)
    waiting.join()
    assert failed == [ShuttingDown if how == "closed" else Cancelled]
    running.finish(run)


@pytest.mark.parametrize(
    ("server", "session", "timeout"),
    [(0.05, None, 0.05), (0, 0.05, 0.05), (0.05, 60, 0.05), (60, 0.05, 0.05)],
)
def test_the_shorter_timeout_stops_a_statement(server, session, timeout):
    running = new_running(statement_timeout=server)
    if session:
        running.control(ADA).settings.set("statement_timeout", session)
    run = running.start("mine", Context())
    run.check()
    time.sleep(timeout + 0.01)
    with pytest.raises(Cancelled, match=r"longer than the 0\.05 s it may take"):
        run.check()


def test_the_time_of_a_statement_does_not_begin_in_the_line():
    running = new_running(max_statements=1, statement_timeout=0.3)
    first = running.start("first", Context())
    threading.Timer(0.2, running.finish, [first]).start()
    second = running.start("second", Context())
    assert second.control.seconds < 0.15


# ---- Sessions


def test_sessions_are_separate_by_user_and_id():
    sessions = SessionStore(Limits())
    callers = [
        Caller(user, Role.READER, id) for user in ("ada", "eve") for id in ("1", "2")
    ]
    sessions.settings(callers[0]).set("statement_timeout", 5)
    values = [sessions.settings(c).number("statement_timeout") for c in callers]
    assert values == [5, 0, 0, 0]
    assert len(sessions) == 1
    assert sessions.close(callers[0])
    assert not sessions.close(callers[0])
    assert sessions.settings(callers[0]).number("statement_timeout") == 0
    assert len(sessions) == 0


def test_an_unused_session_ends_and_says_so_once():
    sessions = SessionStore(Limits(session_timeout=0.1))
    sessions.settings(ADA).set("statement_timeout", 5)
    for _ in range(4):
        time.sleep(0.05)
        assert sessions.settings(ADA).number("statement_timeout") == 5
    time.sleep(0.11)
    assert len(sessions) == 0
    with pytest.raises(SessionEnded, match="what was SET"):
        sessions.settings(ADA)
    assert sessions.settings(ADA).number("statement_timeout") == 0


def test_a_session_in_which_nothing_is_set_ends_unnoticed():
    sessions = SessionStore(Limits(session_timeout=0.05))
    settings = sessions.settings(ADA)
    settings.set("statement_timeout", 5)
    settings.reset()
    time.sleep(0.06)
    assert sessions.settings(ADA).number("statement_timeout") == 0


def test_only_so_many_sessions_are_remembered():
    sessions = SessionStore(Limits(max_sessions=2))
    callers = [Caller("ada", Role.READER, f"session{n}") for n in range(3)]
    for caller in callers:
        sessions.settings(caller).set("statement_timeout", 5)
    assert len(sessions) == 2
    with pytest.raises(SessionEnded):
        sessions.settings(callers[0])
    assert sessions.settings(callers[2]).number("statement_timeout") == 5
