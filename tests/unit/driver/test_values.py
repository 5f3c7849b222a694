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
