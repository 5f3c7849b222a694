import datetime
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest

import thanosql
from thanosql.types import encode_parameters, rows_of, sql_type

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
ID = uuid.UUID(int=1)


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
    assert pa.ipc.open_stream(encode_parameters([[value]])).schema.types == [type_]


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
    encoded = encode_parameters([(1, None), (2, "b")])
    table = pa.ipc.open_stream(encoded).read_all()
    assert table.to_pydict() == {"1": [1, 2], "2": [None, "b"]}


@pytest.mark.parametrize(
    "parameters", ["abc", b"abc", {"a": 1}, {1}, 5], ids=lambda p: type(p).__name__
)
def test_parameters_must_be_a_sequence(cursor, parameters):
    with pytest.raises(thanosql.ProgrammingError, match="must be a sequence"):
        cursor.execute("ECHO", parameters)


def test_sets_of_different_length_are_refused():
    with pytest.raises(thanosql.ProgrammingError, match="set 2 has 1 parameters"):
        encode_parameters([(1, 2), (1,)])


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([(1,), ("a",)], "parameter 1 cannot be sent as one SQL type (int and str)"),
        ([(1, object())], "parameter 2 cannot be sent as one SQL type (object)"),
        ([(2**80,)], "parameter 1 cannot be sent as one SQL type (int)"),
    ],
)
def test_values_without_one_type_are_named(sets, message):
    with pytest.raises(thanosql.DataError) as caught:
        encode_parameters(sets)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("type_", "name", "group"),
    [
        (pa.int8(), "TINYINT", thanosql.NUMBER),
        (pa.uint64(), "BIGINT UNSIGNED", thanosql.NUMBER),
        (pa.float16(), "REAL", thanosql.NUMBER),
        (pa.float64(), "DOUBLE", thanosql.NUMBER),
        (pa.decimal128(10, 2), "DECIMAL(10, 2)", thanosql.NUMBER),
        (pa.string(), "VARCHAR", thanosql.STRING),
        (pa.large_string(), "VARCHAR", thanosql.STRING),
        (pa.dictionary(pa.int8(), pa.string()), "VARCHAR", thanosql.STRING),
        (pa.binary(), "VARBINARY", thanosql.BINARY),
        (pa.binary(16), "VARBINARY", thanosql.BINARY),
        (pa.date32(), "DATE", thanosql.DATETIME),
        (pa.time64("ns"), "TIME", thanosql.DATETIME),
        (pa.timestamp("ns"), "TIMESTAMP", thanosql.DATETIME),
        (pa.timestamp("us", "UTC"), "TIMESTAMP WITH TIME ZONE", thanosql.DATETIME),
        (pa.duration("s"), "INTERVAL", thanosql.DATETIME),
        (pa.month_day_nano_interval(), "INTERVAL", thanosql.DATETIME),
    ],
)
def test_type_codes_are_sql_names_equal_to_their_type_object(type_, name, group):
    assert sql_type(type_) == name
    objects = ("STRING", "BINARY", "NUMBER", "DATETIME", "ROWID")
    equal = [one for one in objects if getattr(thanosql, one) == name]
    assert equal == [group.name]


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (pa.bool_(), "BOOLEAN"),
        (pa.null(), "NULL"),
        (pa.list_(pa.float32(), 512), "REAL[512]"),
        (pa.list_(pa.string()), "VARCHAR[]"),
        (pa.struct([("a", pa.int8())]), "STRUCT"),
        (pa.map_(pa.string(), pa.int8()), "MAP"),
    ],
)
def test_other_types_have_names_too(type_, name):
    assert sql_type(type_) == name


def test_precision_and_scale_of_a_decimal_are_described(cursor):
    cursor.execute("ECHO", [Decimal("12.345")])
    assert cursor.description[0][4:6] == (5, 3)


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
