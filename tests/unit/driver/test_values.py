import datetime

import pyarrow as pa
import pytest

import thanosql
from thanosql.values import rows_of


def test_nanoseconds_are_cut_to_what_datetime_holds(cursor):
    cursor.execute("NANOSECONDS")
    [(moment, took)] = cursor.fetchall()
    assert moment == datetime.datetime(2023, 11, 14, 22, 13, 20, 123456)
    assert took == datetime.timedelta(microseconds=1)


def test_vectors_and_structs_become_lists_and_dicts():
    vectors = pa.array([[0.5, 1.0], None], pa.list_(pa.float32(), 2))
    structs = pa.array([{"a": 1}, None])
    batch = pa.record_batch([vectors, structs], names=["v", "s"])
    assert rows_of(batch) == [([0.5, 1.0], {"a": 1}), (None, None)]


def test_a_date_that_python_cannot_hold_is_named():
    batch = pa.record_batch([pa.array([2**40], pa.timestamp("s"))], names=["at"])
    with pytest.raises(thanosql.DataError, match="column 'at' holds a TIMESTAMP"):
        rows_of(batch)


MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
NS = pa.timestamp("ns")
MAP = pa.map_(pa.string(), pa.int64())


@pytest.mark.parametrize(
    ("array", "value"),
    [
        (pa.array([[("a", 1)]], MAP), {"a": 1}),
        (pa.array([[[("a", 1)], None]], pa.list_(MAP)), [{"a": 1}, None]),
        (
            pa.array([{"m": [("a", 1)]}], pa.struct([("m", MAP)])),
            {"m": {"a": 1}},
        ),
        (pa.array([[("a", MOMENT)]], pa.map_(pa.string(), NS)), {"a": MOMENT}),
        (pa.array([{"at": MOMENT}], pa.struct([("at", NS)])), {"at": MOMENT}),
        (pa.array([[MOMENT]], pa.list_(NS)), [MOMENT]),
        (pa.array([[MOMENT]], pa.large_list(NS)), [MOMENT]),
        (pa.array([[MOMENT]], pa.list_(NS, 1)), [MOMENT]),
        (pa.array([MOMENT], NS).dictionary_encode(), MOMENT),
        (pa.array(["a"]).dictionary_encode(), "a"),
        (pa.array([float("inf")], pa.float32()), float("inf")),
        (pa.array(["a"], pa.string_view()), "a"),
        (pa.array([b"a"], pa.binary_view()), b"a"),
        (pa.array([b"ab"], pa.binary(2)), b"ab"),
        (pa.array([MOMENT], pa.date64()), MOMENT.date()),
        (pa.array([1], pa.time32("ms")), datetime.time(0, 0, 0, 1000)),
        (pa.array([1_001], pa.time64("ns")), datetime.time(0, 0, 0, 1)),
        (pa.array([pa.MonthDayNano([1, 2, 3])]), pa.MonthDayNano([1, 2, 3])),
        (pa.nulls(1), None),
    ],
    ids=lambda item: str(item.type) if isinstance(item, pa.Array) else "",
)
def test_every_type_has_a_plain_value(array, value):
    for column, expected in ((array, value), (pa.nulls(1, array.type), None)):
        batch = pa.record_batch([column], names=["x"])
        assert rows_of(batch) == [(expected,)]


def test_run_ends_are_decoded():
    import pyarrow.compute as pc

    batch = pa.record_batch([pc.run_end_encode(pa.array([1, 1, 2]))], names=["x"])
    assert rows_of(batch) == [(1,), (1,), (2,)]


def test_half_floats_are_floats():
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    array = pa.array([numpy.float16(1.5), None], pa.float16())
    [(value,), _] = rows_of(pa.record_batch([array], names=["x"]))
    assert type(value) is float


@pytest.mark.parametrize(
    ("zone", "offset"), [("Asia/Seoul", 9), ("UTC", 0), ("+05:00", 5)]
)
def test_times_with_a_zone_carry_it(zone, offset):
    array = pa.array([MOMENT], pa.timestamp("us")).cast(pa.timestamp("us", zone))
    [(value,)] = rows_of(pa.record_batch([array], names=["at"]))
    assert value == MOMENT.replace(tzinfo=datetime.timezone.utc)
    assert value.utcoffset() == datetime.timedelta(hours=offset)


def test_an_unknown_zone_is_a_data_error():
    array = pa.array([1], pa.int64()).cast(pa.timestamp("us", "Nowhere/X"))
    with pytest.raises(thanosql.DataError, match="column 'at' holds a TIMESTAMP WITH"):
        rows_of(pa.record_batch([array], names=["at"]))


def test_vectors_may_be_arrays_of_numpy():
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    vectors = pa.array([[9, 9], [0.5, 1], None, [2, 3]], pa.list_(pa.float32(), 2))
    lists = pa.array([[1], [1], [2], None])
    batch = pa.record_batch([vectors, lists], names=["v", "l"]).slice(1)
    (first, one), (none, two), (last, nothing) = rows_of(batch, numpy=True)
    assert (one, two, nothing, none) == ([1], [2], None, None)
    assert first.dtype == numpy.float32
    assert (first.tolist(), last.tolist()) == ([0.5, 1], [2, 3])
