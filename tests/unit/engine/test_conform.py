import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from thanosql_server.engine.conform import conform
from thanosql_server.errors import InvalidData


def fit(values, source, target):
    batch = pa.record_batch([pa.array(values, source)], names=["a"])
    return conform(batch, pa.schema([pa.field("a", target)])).column(0).to_pylist()


@pytest.mark.parametrize(
    ("values", "source", "target", "expected"),
    [
        ([1, None], pa.int64(), pa.int32(), [1, None]),
        ([5], pa.int64(), pa.decimal128(10, 2), [Decimal("5.00")]),
        ([2.346], pa.float64(), pa.decimal128(10, 2), [Decimal("2.35")]),
        (
            [Decimal("1.239")],
            pa.decimal128(4, 3),
            pa.decimal128(10, 2),
            [Decimal("1.24")],
        ),
        (["2020-01-02"], pa.string(), pa.date32(), [datetime.date(2020, 1, 2)]),
        ([None], pa.null(), pa.string(), [None]),
    ],
)
def test_values_take_the_type_of_their_column(values, source, target, expected):
    assert fit(values, source, target) == expected


@pytest.mark.parametrize(
    ("values", "source", "target"),
    [
        ([2**40], pa.int64(), pa.int32()),
        (["x"], pa.string(), pa.int64()),
        ([10**9], pa.int64(), pa.decimal128(10, 2)),
    ],
)
def test_a_value_that_does_not_fit_names_its_column(values, source, target):
    with pytest.raises(InvalidData, match="a value does not fit column 'a' of type"):
        fit(values, source, target)


def test_a_batch_of_the_right_schema_is_handed_through():
    batch = pa.record_batch([pa.array([1])], names=["a"])
    assert conform(batch, batch.schema) is batch
