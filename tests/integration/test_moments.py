"""Moments that nanoseconds do not hold, as literals and as values."""

from __future__ import annotations

import datetime

END = datetime.datetime(9999, 12, 31, 23, 59, 59)


def test_they_are_stored_found_and_compared(empty_cursor):
    cursor = empty_cursor
    cursor.execute("CREATE TABLE prices (price INT, until TIMESTAMP)")
    cursor.execute(
        "INSERT INTO prices VALUES (1, TIMESTAMP '2024-05-01 00:00:00'), "
        "(2, TIMESTAMP '9999-12-31 23:59:59'), (3, TIMESTAMP '0001-01-01 00:00:00')"
    )
    cursor.execute(
        "SELECT price FROM prices WHERE until = TIMESTAMP '9999-12-31 23:59:59'"
    )
    assert cursor.fetchall() == [(2,)]
    cursor.execute(
        "SELECT price FROM prices WHERE until > TIMESTAMP '2024-01-01 00:00:00' "
        "ORDER BY until DESC"
    )
    assert cursor.fetchall() == [(2,), (1,)]
    cursor.execute(
        "UPDATE prices SET until = TIMESTAMP '9999-12-31 23:59:59' WHERE price = 1"
    )
    cursor.execute("SELECT max(until), count(*) FROM prices WHERE price < 3")
    assert cursor.fetchall() == [(END, 2)]
