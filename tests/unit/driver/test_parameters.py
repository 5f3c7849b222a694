import datetime
import uuid
from decimal import Decimal
from enum import Enum, IntEnum

import pyarrow as pa
import pytest

import thanosql
from thanosql.parameters import batches_of, columns_of

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
ID = uuid.UUID(int=1)


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    LARGE = 2


@pytest.mark.parametrize(
    ("value", "type_", "back"),
    [
        (None, pa.null(), None),
        (True, pa.bool_(), True),
        (-7, pa.int64(), -7),
        (1.5, pa.float64(), 1.5),
        ("고양이", pa.string(), "고양이"),
        (b"\0\xff", pa.binary(), b"\0\xff"),
        (bytearray(b"ab"), pa.binary(), b"ab"),
        (MOMENT.date(), pa.date32(), MOMENT.date()),
        (MOMENT.time(), pa.time64("us"), MOMENT.time()),
        (MOMENT, pa.timestamp("us"), MOMENT),
        (
            MOMENT.replace(tzinfo=UTC),
            pa.timestamp("us", "UTC"),
            MOMENT.replace(tzinfo=UTC),
        ),
        (
            datetime.timedelta(seconds=1.5),
            pa.duration("us"),
            datetime.timedelta(seconds=1.5),
        ),
        (Decimal("1.50"), pa.decimal128(3, 2), Decimal("1.50")),
        (ID, pa.string(), str(ID)),
        ([0.5, 1.0], pa.list_(pa.float64()), [0.5, 1.0]),
        ((1, 2), pa.list_(pa.int64()), [1, 2]),
    ],
    ids=lambda item: item.__class__.__name__,
)
def test_a_parameter_has_its_type_and_comes_back(cursor, value, type_, back):
    cursor.execute("ECHO", [value])
    assert cursor.fetchall() == [(back,)]
    assert columns_of([[value]]).schema.types == [type_]


def test_numpy_values_are_sent_as_plain_ones(cursor):
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    vector = numpy.array([0.5, 0.25], dtype="float32")
    cursor.execute("ECHO", [vector, numpy.int32(3), numpy.bool_(True), vector[0]])
    assert cursor.fetchall() == [([0.5, 0.25], 3, True, 0.5)]


def test_numpy_dates_stay_dates(cursor):
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    cursor.execute("ECHO", [numpy.datetime64("2024-02-29T12:30:15.123456789")])
    assert cursor.fetchall() == [(MOMENT,)]


def test_a_parameter_of_many_sets_is_one_column():
    batch = columns_of([(1, None), (2, "b")])
    assert batch.to_pydict() == {"1": [1, 2], "2": [None, "b"]}


@pytest.mark.parametrize(
    "parameters", ["abc", b"abc", {1}, 5], ids=lambda p: type(p).__name__
)
def test_parameters_must_be_a_sequence(cursor, parameters):
    with pytest.raises(thanosql.ProgrammingError, match="must be a sequence"):
        cursor.execute("ECHO", parameters)


def test_sets_of_different_length_are_refused():
    with pytest.raises(thanosql.ProgrammingError, match="set 2 has 1 parameters"):
        columns_of([(1, 2), (1,)])


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([(1,), ("a",)], "parameter 1 cannot be sent as one SQL type (int and str)"),
        ([(1, object())], "parameter 2 is of the Python type 'object', for which"),
        ([(2**80,)], f"parameter 1 is {2**80}, which does not fit into 64 bits"),
        ([(-1,), (2**63,)], f"parameter 1 is {2**63}, which does not fit"),
        ([(1, [{3}])], "parameter 2 is of the Python type 'set', for which"),
        ([(MOMENT,), (MOMENT.replace(tzinfo=UTC),)], "with and without a time zone"),
        ([(MOMENT.time().replace(tzinfo=UTC),)], "a time of day with a zone"),
        ([(Colour.RED,)], "the Python type 'Colour', for which there is no SQL type; "),
        ([(1j,)], "parameter 1 is of the Python type 'complex'"),
        ([(Decimal("1e100"),)], "parameter 1 cannot be sent as one SQL type (Decimal)"),
        ([(pa.scalar(1),), (pa.scalar("a"),)], "parameter 1 has more than one type"),
        ([(pa.scalar(1, pa.int8()),), (1000,)], "parameter 1 cannot be sent as int8"),
    ],
    ids=str,
)
def test_values_without_one_type_are_named(sets, message):
    with pytest.raises(thanosql.DataError) as caught:
        columns_of(sets)
    assert message in str(caught.value)


def test_integers_beyond_the_signed_ones_are_sent_unsigned():
    assert columns_of([(2**64 - 1,), (None,)]).to_pydict() == {"1": [2**64 - 1, None]}


def test_an_enum_of_numbers_or_texts_is_its_value(cursor):
    cursor.execute("ECHO", [Size.LARGE])
    assert cursor.fetchall() == [(2,)]


@pytest.mark.parametrize(
    "scalar",
    [
        pa.scalar(1, pa.int8()),
        pa.scalar([("a", 1)], pa.map_(pa.string(), pa.int8())),
        pa.scalar([0.5, 1], pa.list_(pa.float32(), 2)),
        pa.scalar("a", pa.large_string()),
        pa.scalar(Decimal("1.5"), pa.decimal256(50, 10)),
        pa.scalar(1_001, pa.time64("ns")),
    ],
    ids=lambda scalar: str(scalar.type),
)
def test_a_scalar_of_arrow_has_just_its_type(scalar):
    batch = columns_of([(scalar,), (None,)])
    assert batch.schema.types == [scalar.type]
    assert batch.column(0)[0] == scalar


def test_vectors_of_numpy_keep_their_type():
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    vector = numpy.array([0.5, 0.25], dtype="float32")
    batch = columns_of([(vector,), (None,), (vector * 2,)])
    assert batch.schema.types == [pa.list_(pa.float32())]
    assert batch.to_pydict() == {"1": [[0.5, 0.25], None, [1.0, 0.5]]}


def test_other_arrays_of_numpy_are_lists_of_values():
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    days = numpy.array(["2024-02-29", "NaT"], "datetime64[D]")
    matrix = numpy.array([[1, 2], [3, 4]])
    flags = numpy.array([True, False])
    row = [days, matrix, flags, numpy.datetime64("NaT"), numpy.array(7)]
    assert [v[0] for v in columns_of([row]).to_pydict().values()] == [
        [MOMENT.date(), None],
        [[1, 2], [3, 4]],
        [True, False],
        None,
        7,
    ]
    with pytest.raises(thanosql.DataError, match="'complex128', for which"):
        columns_of([(numpy.complex128(1),)])


def test_values_of_pandas_are_sent():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    moment = pandas.Timestamp("2024-02-29T12:30:15.123456789")
    rows = [(moment, moment.tz_localize("Asia/Seoul"), 1, pandas.Timedelta("1s"))]
    rows.append((pandas.NaT, None, pandas.NA, None))
    batch = columns_of(rows)
    assert batch.schema.types == [
        pa.timestamp("ns"),
        pa.timestamp("us", "Asia/Seoul"),
        pa.int64(),
        pa.duration("us"),
    ]
    assert batch.column(0)[0].value % 1000 == 789
    assert [column.null_count for column in batch.columns] == [1, 1, 1, 1]
    with pytest.raises(thanosql.DataError, match="'Period', for which there is no SQL"):
        columns_of([(pandas.Period("2024-01"),)])


# ---- Many sets ---------------------------------------------------------------


def test_an_iterator_is_read_a_piece_at_a_time():
    read = []

    def sets():
        for n in range(25_000):
            read.append(n)
            yield (n, None)

    batches = batches_of(sets())
    assert next(batches).num_rows == 10_000
    assert len(read) == 10_000
    assert [batch.num_rows for batch in batches] == [10_000, 5_000]


def test_the_first_piece_decides_on_the_types():
    sets = [(n,) for n in range(10_000)]
    batches = batches_of(iter([*sets, (None,), (7,)]))
    next(batches)
    assert next(batches).to_pydict() == {"1": [None, 7]}
    batches = batches_of(iter([*sets, (1.5,)]))
    next(batches)
    with pytest.raises(thanosql.DataError) as caught:
        next(batches)
    assert "parameter 1 is double from set 10001 on and int64 before it" in str(
        caught.value
    )
    batches = batches_of(iter([*sets, (1, 2)]))
    next(batches)
    with pytest.raises(thanosql.ProgrammingError, match="set 10001 has 2 parameters"):
        next(batches)
