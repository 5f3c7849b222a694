import asyncio
import gc
import itertools
import threading
import time

import pyarrow as pa
import pytest

from thanosql_server.control import Control
from thanosql_server.engine import executor, session
from thanosql_server.engine.catalog import Catalog
from thanosql_server.engine.executor import in_thread, stream
from thanosql_server.errors import Cancelled

ENDLESS = "SELECT value FROM generate_series(1, 100000000000)"
BUSY = "SELECT count(*) AS n FROM generate_series(1, 100000000000) WHERE value % 7 = 3"


@pytest.fixture
def frame(run):
    def plan(sql):
        context = run.contexts.new(Catalog(run.workspace, lambda name, view: None))
        return session.sql(context, sql)

    return plan


def cpu_seconds_of_the_next_second():
    gc.collect()
    before = time.process_time()
    time.sleep(1)
    return time.process_time() - before


def test_batches_have_exactly_the_announced_schema(frame):
    query = frame("SELECT 1 AS one, 'x' AS two")
    schema = pa.schema([pa.field("one", pa.int64()), pa.field("two", pa.string())])
    assert query.schema() == pa.schema(
        [pa.field("one", pa.int64(), False), pa.field("two", pa.string(), False)]
    )
    batches = [b for b in stream(query, schema, Control()) if b is not None]
    assert [b.schema for b in batches] == [schema]


def test_a_busy_query_yields_none_so_that_its_caller_can_look_around(frame):
    query = frame(BUSY)
    steps = stream(query, query.schema(), Control())
    assert [next(steps) for _ in range(3)] == [None, None, None]
    steps.close()


@pytest.mark.parametrize("sql", [BUSY, ENDLESS])
def test_cancel_stops_the_work(frame, sql):
    query, control = frame(sql), Control()
    steps = stream(query, query.schema(), control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        for _ in steps:
            pass
    del steps, query
    assert cpu_seconds_of_the_next_second() < 0.5


def test_closing_stops_the_work(frame):
    query = frame(ENDLESS)
    steps = stream(query, query.schema(), Control())
    next(steps)
    steps.close()
    del steps, query
    assert cpu_seconds_of_the_next_second() < 0.5


def test_a_stream_may_be_closed_where_another_loop_runs(frame):
    """As the garbage collector does in a notebook, whose main thread runs one."""
    query = frame(ENDLESS)
    steps = stream(query, query.schema(), Control())
    next(steps)

    async def close(stream):
        stream.close()

    asyncio.run(close(steps))
    del steps, query
    assert cpu_seconds_of_the_next_second() < 0.5


def test_streams_at_the_same_time_do_not_mix(frame):
    """Each reads from a loop of its own, also on one thread."""
    sql = "SELECT value FROM generate_series({}, {} + 30000)"
    queries = [frame(sql.format(n, n)) for n in (0, 100_000)]
    steps = [stream(query, query.schema(), Control()) for query in queries]
    first, second = [], []
    for one, other in itertools.zip_longest(*steps):
        first += [] if one is None else one.column(0).to_pylist()
        second += [] if other is None else other.column(0).to_pylist()
    assert sorted(first) == list(range(30_001))
    assert sorted(second) == list(range(100_000, 130_001))


def test_work_in_a_thread_yields_until_it_is_done():
    seen = []
    release = threading.Event()
    steps = in_thread(lambda: (release.wait(10), seen.append(1)), Control())
    assert next(steps) is None
    release.set()
    assert set(steps) <= {None}
    assert seen == [1]


def test_an_exception_in_the_thread_reaches_the_caller():
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        list(in_thread(fail, Control()))


def test_closing_cancels_the_thread_and_waits_for_it():
    control, ended = Control(), []

    def work():
        while not control.cancelled:
            time.sleep(0.01)
        ended.append(True)

    steps = in_thread(work, control)
    next(steps)
    steps.close()
    assert ended == [True]


def test_a_stream_that_ends_as_garbage_hands_back_a_working_loop(frame, monkeypatch):
    query = frame("SELECT 1 AS one")
    loops = executor._Loops()
    monkeypatch.setattr(executor, "_LOOPS", loops)
    held = [stream(query, query.schema(), Control())]
    next(held[0])
    time.sleep(0.3)  # until DataFusion holds nothing of it any more
    held.append(held)  # only the garbage collector takes this away
    del held
    gc.collect()
    [loop] = loops._free
    assert not loop.is_closed()
    again = stream(query, query.schema(), Control())
    assert sum(batch.num_rows for batch in again if batch is not None) == 1
    loop.close()
