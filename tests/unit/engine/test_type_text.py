import pyarrow as pa
import pytest

from thanosql_server.engine.type_text import read_type

ITEM = "Field { data_type: %s, nullable: true }"
LIST = f"List({ITEM % 'Utf8'})"
TYPES = [
    ("Int64, nullable", pa.int64()),
    ("Utf8View", pa.string()),
    ("Timestamp(Microsecond, None)", pa.timestamp("us")),
    ('Timestamp(Nanosecond, Some("+09:00"))', pa.timestamp("ns", "+09:00")),
    ("Time32(Millisecond)", pa.time32("ms")),
    ("Time64(Nanosecond)", pa.time64("ns")),
    ("Duration(Second)", pa.duration("s")),
    ("Decimal128(10, -2)", pa.decimal128(10, -2)),
    ("Decimal256(50, 2)", pa.decimal256(50, 2)),
    (LIST, pa.list_(pa.string())),
    (f"LargeList({ITEM % 'Date32'})", pa.large_list(pa.date32())),
    (f"FixedSizeList({ITEM % 'Float32'}, 512)", pa.list_(pa.float32(), 512)),
    (f"List({ITEM % LIST})", pa.list_(pa.list_(pa.string()))),
    ("Interval(MonthDayNano)", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "kind"), TYPES)
def test_types_are_read(text, kind):
    assert read_type(f"data_type: {text} }})", 11) == kind


# What a prepared statement tells of its parameters.
@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("SELECT * FROM t WHERE id = ? AND name LIKE ?", ["int64", "string"]),
        ("SELECT * FROM t WHERE at > ?", ["timestamp[us]"]),
        ("SELECT * FROM t WHERE price BETWEEN ? AND ?", ["decimal128(10, 2)"] * 2),
        ("SELECT * FROM t WHERE tags = ?", ["list<item: string>"]),
        ("SELECT * FROM t LIMIT ? OFFSET ?", ["int64", "int64"]),
        ("SELECT CAST(? AS INT), ?::DATE", ["int32", "date32[day]"]),
        ("UPDATE t SET price = ?, at = ? WHERE id = ?",
         ["decimal128(10, 2)", "timestamp[us]", "int64"]),
        ("DELETE FROM t WHERE at < ?", ["timestamp[us]"]),
        ("SELECT ?", ["null"]),
    ],
)  # fmt: skip
def test_types_of_parameters(run, sql, types):
    run(
        "CREATE TABLE t (id BIGINT, name TEXT, at TIMESTAMP, price DECIMAL(10, 2), "
        "tags TEXT[])"
    )
    parameters = run.engine.plan(sql).parameters
    assert [str(one.type) for one in parameters] == types
