import datetime
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest

import thanosql
from thanosql.parameters import batches_of, columns_of

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


