"""Everything the driver can do, against a real server, with whatever pyarrow is there.

Run as a script in an environment without pytest, by run_old_clients.py:

    python round_trip.py LOCATION TOKEN
"""

from __future__ import annotations

import datetime
import importlib
import sys
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa

import thanosql

MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
SEOUL = MOMENT.replace(tzinfo=ZoneInfo("Asia/Seoul"))
MAP = pa.map_(pa.string(), pa.int64())
ID = uuid.UUID(int=7)

PARAMETERS = [
    (None, "NULL", None),
    (True, "BOOLEAN", True),
    (-7, "BIGINT", -7),
    (2**64 - 1, "BIGINT UNSIGNED", 2**64 - 1),
    (1.5, "DOUBLE", 1.5),
    (float("-inf"), "DOUBLE", float("-inf")),
    ("고양이", "VARCHAR", "고양이"),
    (b"\0\xff", "VARBINARY", b"\0\xff"),
    (MOMENT.date(), "DATE", MOMENT.date()),
    (MOMENT.time(), "TIME", MOMENT.time()),
    (MOMENT, "TIMESTAMP", MOMENT),
    (SEOUL, "TIMESTAMP WITH TIME ZONE", SEOUL),
    (datetime.timedelta(hours=-1), "INTERVAL", datetime.timedelta(hours=-1)),
    (Decimal("1.50"), "DECIMAL(3, 2)", Decimal("1.50")),
    (Decimal("9" * 50), "DECIMAL(50, 0)", Decimal("9" * 50)),
    (ID, "VARCHAR", str(ID)),
    (pa.MonthDayNano([1, 2, 3]), "INTERVAL", pa.MonthDayNano([1, 2, 3])),
    ([1, None], "BIGINT[]", [1, None]),
    ([[0.5], []], "DOUBLE[][]", [[0.5], []]),
    ({"a": 1, "b": "x"}, "STRUCT", {"a": 1, "b": "x"}),
    ([{"a": 1}], "STRUCT[]", [{"a": 1}]),
    (pa.scalar([("a", 1)], MAP), "MAP", {"a": 1}),
    (pa.scalar([0.5, 1.0], pa.list_(pa.float32(), 2)), "REAL[2]", [0.5, 1.0]),
    (pa.scalar(1, pa.int8()), "TINYINT", 1),
]
"""A parameter, its type code and what comes back."""

COLUMNS = [
    (pa.int8(), 1),
    (pa.uint64(), 2**64 - 1),
    (pa.float32(), 0.5),
    (pa.float64(), float("inf")),
    (pa.bool_(), True),
    (pa.decimal128(10, 2), Decimal("1.50")),
    (pa.decimal256(50, 2), Decimal("1.50")),
    (pa.string(), "고양이"),
    (pa.large_string(), "a"),
    (pa.string_view(), "a"),
    (pa.binary(), b"\0"),
    (pa.large_binary(), b"\0"),
    (pa.binary_view(), b"\0"),
    (pa.binary(2), b"ab"),
    (pa.date32(), MOMENT.date()),
    (pa.date64(), MOMENT.date()),
    (pa.time32("s"), datetime.time(1, 2, 3)),
    (pa.time64("us"), MOMENT.time()),
    (pa.time64("ns"), MOMENT.time()),
    (pa.timestamp("s"), MOMENT.replace(microsecond=0)),
    (pa.timestamp("us"), MOMENT),
    (pa.timestamp("ns"), MOMENT),
    (pa.timestamp("us", "Asia/Seoul"), SEOUL),
    (pa.timestamp("us", "+09:00"), SEOUL),
    (pa.duration("us"), datetime.timedelta(days=1, microseconds=1)),
    (pa.duration("ns"), datetime.timedelta(days=1, microseconds=1)),
    (pa.list_(pa.int64()), [1, None]),
    (pa.large_list(pa.string()), ["a"]),
    (pa.list_(pa.float32(), 2), [0.5, 1.0]),
    (pa.list_(pa.timestamp("ns")), [MOMENT]),
    (pa.struct([("a", pa.int64()), ("b", pa.string())]), {"a": 1, "b": None}),
    (pa.dictionary(pa.int32(), pa.string()), "a"),
]
"""A type of a column, and a value in it that comes back as it is."""


def check(connection):
    """Check everything; the first thing that is wrong raises AssertionError."""
    with connection.cursor() as cursor:
        parameters(cursor)
        columns(cursor)
        many_rows(cursor)
        frames(connection)
        errors(cursor)


def parameters(cursor):
    """Send each kind of value as a parameter and get it back."""
    for value, code, expected in PARAMETERS:
        [column] = cursor.execute("SELECT ? AS x", [value]).description
        assert column[:2] == ("x", code), (value, column)
        assert cursor.fetchall() == [(expected,)], value
    [(nan,)] = cursor.execute("SELECT :nan AS x", {"nan": float("nan")}).fetchall()
    assert nan != nan
    kinds = [thanosql.STRING, thanosql.BINARY, thanosql.NUMBER, thanosql.DATETIME]
    cursor.execute("SELECT ?, ?, ?, ?", ["a", b"a", 1.5, MOMENT])
    assert [column[1] for column in cursor.description] == kinds


def columns(cursor):
    """Store a column of each type, with a NULL, and get it back."""
    for type_, value in COLUMNS:
        # Dictionaries are made by encoding: pa.array() knows no other way in 16.1.
        plain = type_.value_type if pa.types.is_dictionary(type_) else type_
        column = pa.array([value, None], plain)
        if plain is not type_:
            column = column.dictionary_encode()
        given = pa.table({"x": column})
        assert cursor.ingest("columns", given, "replace") == 2, type_
        found = cursor.execute("SELECT x FROM columns").fetchall()
        assert found == [(value,), (None,)], (type_, found)
    given = pa.table({"x": pa.array([[("a", 1)], None], MAP)})
    cursor.ingest("columns", given, "replace")
    assert cursor.execute("SELECT x FROM columns").fetchall() == [({"a": 1},), (None,)]
    cursor.execute("DROP TABLE columns")


def many_rows(cursor):
    """Ingest in every mode, insert from an iterator, read batch by batch."""
    rows = pa.table({"n": range(30_000), "word": [f"#{n}" for n in range(30_000)]})
    assert cursor.ingest("numbers", rows) == 30_000
    assert cursor.ingest("numbers", rows.to_reader(), "append") == 30_000
    assert cursor.ingest("numbers", rows.to_batches()[0], "replace") == 30_000
    more = ({"n": n, "word": None} for n in range(12_000))
    assert cursor.ingest("numbers", more, "create_append") == 12_000
    sets = ((n, "later") for n in range(12_000))
    cursor.executemany("INSERT INTO numbers VALUES (?, ?)", sets)
    assert cursor.rowcount == 12_000
    cursor.executemany(
        "UPDATE numbers SET word = :word WHERE n = :n",
        [{"n": 1, "word": "one"}, {"n": 2, "word": "two"}],
    )
    assert cursor.rowcount == 6
    reader = cursor.execute("SELECT n FROM numbers").fetch_record_batches()
    assert sum(batch.num_rows for batch in reader) == 54_000
    assert cursor.rowcount == 54_000
    cursor.execute("DROP TABLE numbers")


def frames(connection):
    """Use what there is of numpy, pandas and polars, each way."""
    with connection.cursor() as cursor:
        if numpy := _library("numpy"):
            vector = numpy.array([0.5, 0.25], "float32")
            given = [vector, numpy.int32(3), numpy.bool_(True), numpy.float64(0.5)]
            cursor.execute("SELECT ? AS a, ? AS b, ? AS c, ? AS d", given)
            assert cursor.fetchall() == [([0.5, 0.25], 3, True, 0.5)]
            connection.vectors = "numpy"
            fixed = pa.scalar([0.5, 0.25], pa.list_(pa.float32(), 2))
            [(found,)] = cursor.execute("SELECT ? AS v", [fixed]).fetchall()
            assert isinstance(found, numpy.ndarray), type(found)
            assert found.tolist() == [0.5, 0.25]
            connection.vectors = "list"
        for name in ("pandas", "polars"):
            if library := _library(name):
                _frame(cursor, library)


def _frame(cursor, library):
    frame = library.DataFrame({"n": [1, 2], "word": ["a", None]})
    assert cursor.ingest("frame", frame, "replace") == 2
    cursor.execute("SELECT * FROM frame ORDER BY n")
    fetch = cursor.fetch_df if library.__name__ == "pandas" else cursor.fetch_polars
    found = fetch()
    assert isinstance(found, library.DataFrame)
    assert list(found["n"]) == [1, 2]
    assert found["word"][0] == "a"
    cursor.execute("DROP TABLE frame")


def errors(cursor):
    """Check that errors arrive as their class, with SQLSTATE and position."""
    error = _error(lambda: cursor.execute("SELECT 1,\n  nothing"))
    assert (error.sqlstate, error.position) == ("42703", (2, 3)), error
    error = _error(lambda: cursor.ingest("nowhere", [{"a": 1}], "append"))
    assert error.sqlstate == "42P01", error


def _error(work):
    try:
        work()
    except thanosql.ProgrammingError as error:
        return error
    raise AssertionError("there was no error")


def _library(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def main(location, token):
    """Check a server, and print with what."""
    with thanosql.connect(location, token=token) as connection:
        check(connection)
    there = {name: _library(name) for name in ("numpy", "pandas", "polars")}
    versions = [f"{n} {m.__version__}" for n, m in there.items() if m]
    python = ".".join(map(str, sys.version_info[:2]))
    print(", ".join([f"Python {python}", f"pyarrow {pa.__version__}", *versions]))


if __name__ == "__main__":
    main(*sys.argv[1:])
