"""Clients that change a workspace and know what must be there when they are cut off.

Each has tables of its own, or rows of its own in a shared one. It knows what the last
statement that was answered left, and what the one that was not answered would leave:
one of the two must be found, whole.
"""

from __future__ import annotations

import copy
import random
import threading

import numpy as np

import thanosql

COPIED_ROWS = 2000
MOST_ROWS = 600


class Client:
    """One client with its connection and thread.

    Attributes:
        known: what is there, by the statements that were answered.
        doubtful: what is there if the one that was not answered was carried out.
    """

    def __init__(self, name, seed):
        self.name = name
        self.random = random.Random(f"{name} {seed}")
        self.known = {}
        self.doubtful = None
        self.statement = None
        self.answered = self.conflicts = 0
        self.failure = None

    def start(self, connect, stopped):
        self.thread = threading.Thread(target=self._run, args=(connect, stopped))
        self.thread.start()

    def _run(self, connect, stopped):
        try:
            with connect() as connection, connection.cursor() as cursor:
                while not stopped.is_set():
                    self._step(cursor)
        except Exception as failure:
            # The server is killed after `stopped` is set.
            if not stopped.wait(5):
                self.failure = failure

    def _step(self, cursor):
        after = copy.deepcopy(self.known)
        sql, *parameters = self.change(after)
        self.doubtful, self.statement = after, sql
        run = cursor.executemany if parameters[1:] else cursor.execute
        try:
            run(sql, *parameters[:1])
        except thanosql.Error as failure:
            if failure.sqlstate != "40001":
                raise
            self.conflicts += 1
        else:
            self.known = after
            self.answered += 1
        self.doubtful = None

    def check(self, cursor):
        """Compare what is there with what must be, and go on from it."""
        found = self.found(cursor)
        assert found in (self.known, self.doubtful), (
            f"{self.name}: after {self.statement!r}, answered "
            f"{self.doubtful is None}:\n{found}\nis neither\n{self.known}\n"
            f"nor\n{self.doubtful}"
        )
        self.known, self.doubtful = found, None


MANY = object()
"""Marks a statement with several rows of parameters."""


class Rows(Client):
    """Rows with a number each, in a table that all clients of this kind share."""

    TABLE = "shared"

    def __init__(self, owner, seed):
        super().__init__(f"rows{owner}", seed)
        self.owner = owner
        self.next = 0

    def change(self, rows):
        chance, mine = self.random.random(), f"owner = {self.owner}"
        first = self.next
        if len(rows) > MOST_ROWS:
            rows.clear()
            return (f"DELETE FROM {self.TABLE} WHERE {mine}",)
        if chance < 0.6:
            self.next += 1
            rows[first] = 0
            return (
                f"INSERT INTO {self.TABLE} VALUES (?, ?, 0)",
                [self.owner, first],
            )
        if chance < 0.7:
            self.next += 20
            rows.update(dict.fromkeys(range(first, self.next), 7))
            values = [[self.owner, key, 7] for key in range(first, self.next)]
            return f"INSERT INTO {self.TABLE} VALUES (?, ?, ?)", values, MANY
        part = self.random.randrange(5)
        chosen = [key for key in rows if key % 5 == part]
        if chance < 0.9:
            rows.update({key: rows[key] + 1 for key in chosen})
            return (
                f"UPDATE {self.TABLE} SET v = v + 1 WHERE {mine} AND n % 5 = {part}",
            )
        for key in chosen:
            del rows[key]
        return (f"DELETE FROM {self.TABLE} WHERE {mine} AND n % 5 = {part}",)

    def found(self, cursor):
        cursor.execute(f"SELECT n, v FROM {self.TABLE} WHERE owner = {self.owner}")
        rows = cursor.fetchall()
        assert len(dict(rows)) == len(rows), "a row is there twice"
        return dict(rows)


class Copies(Client):
    """Files into a table, and the table into files."""

    def __init__(self, workspace, seed):
        super().__init__("copies", seed)
        self.workspace = workspace
        self.known = {"rows": 0, "files": {}}
        self.written = 0

    def change(self, state):
        if self.random.random() < 0.4:
            self.written += 1
            name = f"out{self.written}.csv"
            state["files"][name] = state["rows"]
            return (f"COPY copied TO '{name}'",)
        whole = state["rows"] > 5 * COPIED_ROWS
        state["rows"] = (0 if whole else state["rows"]) + COPIED_ROWS
        how = "overwrite=True" if whole else "if_exists='append'"
        return (f"COPY copied OPTIONS ({how}) FROM 'rows.csv'",)

    def found(self, cursor):
        cursor.execute("SELECT count(*), count(DISTINCT id) FROM copied")
        [(rows, different)] = cursor.fetchall()
        assert different == min(rows, COPIED_ROWS)
        files = {
            path.name: len(path.read_text("utf-8").splitlines()) - 1
            for path in self.workspace.glob("out*.csv")
        }
        for name in files:  # they would become too many
            if self.random.random() < 0.5:
                (self.workspace / name).unlink()
        kept = {path.name for path in self.workspace.glob("out*.csv")}
        found = {"rows": rows, "files": files}
        self.expected_files = kept
        return found

    def check(self, cursor):
        super().check(cursor)
        files = self.known["files"]
        self.known["files"] = {name: files[name] for name in self.expected_files}


class Definitions(Client):
    """Tables, views and schemas that come, change and go."""

    def __init__(self, seed):
        super().__init__("definitions", seed)
        self.made = 0

    def change(self, state):
        tables = [name for name in state if name.startswith("d")]
        if len(state) < 4 or not tables:
            return self._create(state)
        table = self.random.choice(tables)
        return self.random.choice(
            [self._create, self._add, self._rename, self._drop, self._tidy]
        )(state, table)

    def _create(self, state, table=None):
        self.made += 1
        kind = self.random.choice("dav" if table else "d")
        name = f"{'v' if kind == 'v' else 'd'}{self.made}"
        if kind == "d":
            state[name] = [["a", "b"], 0]
            return (f"CREATE TABLE {name} (a INTEGER, b VARCHAR)",)
        if kind == "a":
            state[name] = [["a"], 50]
            return (
                f"CREATE TABLE {name} AS SELECT value AS a FROM generate_series(1, 50)",
            )
        state[name] = [["one"], 1]
        return (f"CREATE VIEW {name} AS SELECT 1 AS one",)

    def _add(self, state, table):
        self.made += 1
        state[table][0].append(f"c{self.made}")
        return (f"ALTER TABLE {table} ADD COLUMN c{self.made} INTEGER DEFAULT 3",)

    def _rename(self, state, table):
        self.made += 1
        state[f"d{self.made}"] = state.pop(table)
        return (f"ALTER TABLE {table} RENAME TO d{self.made}",)

    def _drop(self, state, table):
        name = self.random.choice(sorted(state))
        del state[name]
        return (f"DROP {'VIEW' if name.startswith('v') else 'TABLE'} {name}",)

    def _tidy(self, state, table):
        return (
            self.random.choice(
                [f"OPTIMIZE TABLE {table}", f"VACUUM {table}", "OPTIMIZE shared"]
            ),
        )

    def found(self, cursor):
        cursor.execute("LIST TABLE")
        names = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT view_name FROM thanosql.views")
        names += [name for (name,) in cursor.fetchall()]
        found = {}
        for name in {one for one in names if one[0] in "dv"}:
            cursor.execute(f"SELECT * FROM {name}")
            columns = [column[0] for column in cursor.description]
            found[name] = [columns, len(cursor.fetchall())]
        return found


class Converts(Client):
    """Pictures that come, and are embedded; each embedding is that of its picture."""

    def __init__(self, paths, seed):
        super().__init__("converts", seed)
        self.paths = paths
        self.known = []
        self.vectors = {}

    def change(self, rows):
        if len(rows) > MOST_ROWS // 4:
            rows.clear()
            return ("TRUNCATE pictures",)
        if not rows or self.random.random() < 0.5:
            path = self.random.choice(self.paths)
            rows.append([path, False])
            rows.sort()
            return "INSERT INTO pictures (image_path) VALUES (?)", [path]
        for row in rows:
            row[1] = True
        return (
            "CONVERT USING m OPTIONS (table_name='pictures') AS SELECT * FROM pictures",
        )

    def found(self, cursor):
        cursor.execute("SELECT * FROM pictures")
        rows = cursor.fetch_arrow_table().to_pylist()
        for row in rows:
            vector = row.get("m_simclr")
            if vector is not None:
                first = self.vectors.setdefault(row["image_path"], vector)
                assert np.allclose(vector, first, atol=1e-4)
        return sorted(
            [row["image_path"], row.get("m_simclr") is not None] for row in rows
        )
