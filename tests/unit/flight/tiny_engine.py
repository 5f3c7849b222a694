"""A real, small engine: a few statements over Arrow tables in memory."""

import re
import threading
import time
from collections import namedtuple
from dataclasses import replace

import pyarrow as pa

from thanosql_server import errors
from thanosql_server.activity import Activity
from thanosql_server.engine.plan import NO_ROWS, Plan

TableInfo = namedtuple("TableInfo", "catalog schema name kind columns")

PEOPLE = pa.table(
    {"id": pa.array([1, 2, 3], pa.int64()), "name": ["ada", "grace", None]}
)


class Panic(BaseException):
    """As pyo3's PanicException: not an Exception."""


class TinyEngine:
    def __init__(self):
        self.tables_by_name = {"people": PEOPLE, "it's 100%": PEOPLE.select(["id"])}
        self.activity = Activity()
        self.planned = []
        self.stopped = threading.Event()

    # ---- the protocol

    def plan(self, sql, parameters=None, control=None):
        self.planned.append((sql, parameters))
        for pattern, statement in self.STATEMENTS:
            match = re.fullmatch(pattern, sql.strip(), re.DOTALL)
            if match:
                return statement(self, parameters, *match.groups())
        raise errors.SyntaxError_(
            f"expected a statement, found '{sql}'",
            position=errors.Position.of(sql, len(sql)),
        )

    def catalogs(self):
        return ["thanosql"]

    def schemas(self):
        return [("thanosql", "public"), ("thanosql", "information_schema")]

    def tables(self, *, columns, wanted=None):
        for name, table in reversed(self.tables_by_name.items()):
            schema = table.schema if columns else None
            if wanted is None or wanted("thanosql", "public", name):
                yield TableInfo("thanosql", "public", name, "TABLE", schema)
        if wanted is None or wanted("thanosql", "information_schema", "views"):
            yield TableInfo("thanosql", "information_schema", "views", "VIEW", None)

    # ---- the statements

    def select(self, parameters, name):
        table = self.find(name)
        return Plan(table.schema, lambda control: iter(table.to_batches()))

    def lasting(self, parameters, name):
        return replace(self.select(parameters, name), lasts=True)

    def at_once(self, parameters, name):
        if name == "FAIL":
            plan = self.fail(parameters, "LATER", "SyntaxError_")
        else:
            plan = self.select(parameters, name)
        return replace(plan, at_once=True)

    def plan_rows(self, sql, rows, control=None):
        return None  # every row on its own

    def echo(self, parameters, marks):
        count = marks.count("?")
        fields = [pa.field(f"p{i + 1}", pa.string()) for i in range(count)]
        if parameters is None:
            return Plan(pa.schema(fields), self.refuse, parameters=pa.schema(fields))
        columns = [pa.array([p.as_py()], p.type) for p in parameters]
        batch = pa.record_batch(columns, names=[f.name for f in fields])
        return Plan(batch.schema, lambda control: iter([None, batch]))

    def insert(self, parameters, name):
        old = self.find(name)

        def run(control):
            yield None
            row = pa.table([[p.as_py()] for p in parameters], schema=old.schema)
            if row["id"].null_count:
                raise errors.InvalidData("column 'id' must not be NULL")
            self.tables_by_name[name] = pa.concat_tables([self.find(name), row])
            control.rows_affected = 1

        return Plan(NO_ROWS, run, parameters=old.schema)

    def drop(self, parameters, name):
        def run(control):
            self.find(name)
            del self.tables_by_name[name]
            control.warn("nobody will see 'people' again")
            control.rows_affected = 3
            yield None

        return Plan(NO_ROWS, run)

    def count(self, parameters, kind, steps):
        schema = pa.schema([("n", pa.int64())]) if kind == "ROWS" else NO_ROWS

        def run(control):
            try:
                for step in range(int(steps)):
                    time.sleep(0.02)
                    control.report("counting", step, int(steps), f"at {step}")
                    yield None
                    if kind == "ROWS":
                        yield pa.record_batch({"n": [step]})
            finally:
                self.stopped.set()

        return Plan(schema, run)

    def big(self, parameters, rows, size):
        batch = pa.record_batch({"text": ["x" * int(size)] * int(rows)})
        return Plan(batch.schema, lambda control: iter([batch]))

    def fail(self, parameters, when, what):
        def run(control):
            yield pa.record_batch({"id": [1]})
            raise ERRORS[what]()

        if when == "NOW":
            raise ERRORS[what]()
        return Plan(pa.schema([("id", pa.int64())]), run)

    def refuse(self, control):
        raise errors.InvalidValue("the statement needs parameters")

    def find(self, name):
        if name not in self.tables_by_name:
            raise errors.UndefinedTable(f"there is no table '{name}'")
        return self.tables_by_name[name]

    STATEMENTS = (
        (r"SELECT \* FROM (\w+)", select),
        (r"LASTING (\w+)", lasting),
        (r"AT ONCE (\w+)", at_once),
        (r"ECHO ([? ]+)", echo),
        (r"INSERT INTO (\w+) VALUES \(\?, \?\)", insert),
        (r"DROP TABLE (\w+)", drop),
        (r"COUNT (ROWS|STEPS) (\d+)", count),
        (r"BIG (\d+) (\d+)", big),
        (r"FAIL (NOW|LATER) (\w+)", fail),
    )


def _file_error():
    with open("/nowhere/secret.txt"):
        pass


def _raise(error):
    raise error


# What goes wrong, by a word for it. All but the first group are faults of ours.
ERRORS = {
    **{
        kind.__name__: (lambda kind=kind: _raise(kind(f"a {kind.__name__} for you")))
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ThanoSQLError)
    },
    "zero": lambda: 1 / 0,
    "file": _file_error,
    "key": lambda: {}["/srv/secret"],
    "arrow": lambda: pa.array(["/srv/secret"]).cast(pa.int64()),
    "panic": lambda: _raise(Panic("thread panicked at /root/src/lib.rs:1")),
    "stop": lambda: _raise(StopIteration("/srv/secret")),
}
FAULTS = ("zero", "file", "key", "arrow", "panic", "stop")
