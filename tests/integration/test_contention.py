"""16 writers and 16 readers on ten tables: what each statement preserves is preserved.

Each table holds accounts. A statement moves units between two of them, so that the sum
over a table stays, whatever the order; a reader finds that sum in every version that it
sees. The long way is `make test-contention`: THANOSQL_SECONDS says how long.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import Counter

import pytest

import thanosql
from thanosql_server.app import serve_embedded

SECONDS = float(os.environ.get("THANOSQL_SECONDS", "6"))
TABLES, WRITERS, READERS = 10, 16, 16
ACCOUNTS, UNITS = 50, 100
SUM = ACCOUNTS * UNITS


@pytest.fixture
def server(tmp_path):
    server = serve_embedded(str(tmp_path / "workspace"))
    yield server
    server.close()


class Load:
    """All writers and readers of one server, and what they have done."""

    def __init__(self, server):
        self.server = server
        self.ends = time.monotonic() + SECONDS
        self.counts, self.failures = Counter(), []
        self.moved = [Counter() for _ in range(WRITERS)]

    def run(self):
        """Return when the time is over; raise what went wrong."""
        works = [(self.write, n) for n in range(WRITERS)]
        works += [(self.read, n) for n in range(READERS)]
        threads = [threading.Thread(target=self._repeat, args=one) for one in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def _repeat(self, work, number):
        chance = random.Random(number)
        try:
            with connected(self.server) as cursor:
                while time.monotonic() < self.ends and not self.failures:
                    work(cursor, chance, number)
        except Exception as failure:
            self.failures.append(failure)

    def write(self, cursor, chance, number):
        table = chance.randrange(TABLES)
        sql, flow = chance.choice(CHANGES)(table, chance, number)
        try:
            cursor.execute(sql)
        except thanosql.Error as failure:
            if failure.sqlstate != "40001":
                raise
            self.counts["to be tried again"] += 1
            return
        self.counts["written"] += 1
        self.moved[number].update({(table, key): n for key, n in flow.items()})

    def read(self, cursor, chance, number):
        table = chance.randrange(TABLES)
        cursor.execute(f"SELECT sum(v) FROM t{table} WHERE id >= 0")
        assert cursor.fetchall() == [(SUM,)]
        self.counts["read"] += 1

    def expected(self, table):
        """Return what each account of a table must have now."""
        found = Counter(dict.fromkeys(range(ACCOUNTS), UNITS))
        for one in self.moved:
            found.update({key: n for (where, key), n in one.items() if where == table})
        return {key: units for key, units in found.items() if units}


def test_sums_stay_in_the_middle_of_everything(server):
    with connected(server) as cursor:
        for number in range(TABLES):
            cursor.execute(
                f"CREATE TABLE t{number} AS SELECT value AS id, "
                f"CAST({UNITS} AS BIGINT) AS v "
                f"FROM generate_series(0, {ACCOUNTS - 1})"
            )
    load = Load(server)
    load.run()
    with connected(server) as cursor:
        for table in range(TABLES):
            cursor.execute(f"SELECT id, sum(v) FROM t{table} GROUP BY id")
            found = {key: units for key, units in cursor.fetchall() if units}
            assert found == load.expected(table)
    sys.stdout.write(f"{SECONDS:g} s: {dict(load.counts)}\n")
    assert load.counts["written"]
    assert load.counts["read"]


def connected(server):
    connection = thanosql.connect(server.location, token=server.token)
    return Closing(connection)


class Closing:
    """A cursor that closes its connection with itself."""

    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        return self.connection.cursor()

    def __exit__(self, *ended):
        self.connection.close()


def transfer(table, chance, number):
    """Move a unit from one account to another, in one UPDATE."""
    one, other = chance.sample(range(ACCOUNTS), 2)
    sql = (
        f"UPDATE t{table} SET v = CASE id WHEN {one} THEN v - 1 WHEN {other} "
        f"THEN v + 1 END WHERE id IN ({one}, {other})"
    )
    return sql, {one: -1, other: 1}


def book(table, chance, number):
    """Add a booking and its counterpart: two rows in one INSERT."""
    account = 1000 + number
    sql = f"INSERT INTO t{table} VALUES ({account}, 5), ({account + 1000}, -5)"
    return sql, {account: 5, account + 1000: -5}


CHANGES = [transfer, book]
