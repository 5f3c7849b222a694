from decimal import Decimal

import pyarrow as pa
import pytest

import thanosql
from thanosql.types import sql_type


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
