"""Ask a server and DataFusion alone the queries of DataFusion's SQL logic tests.

    THANOSQL_DATAFUSION=CHECKOUT python tests/compat/run_sqllogictest.py [PART OF NAME]

The folder is a checkout of apache/datafusion; nothing of it is committed. Each file's
statements go to DataFusion in this process and to a server of ours through the driver.
A query counts if DataFusion answers it, and then ours must give the same rows. What is
not about answers is left out, and counted: plans, settings of DataFusion, files of its
tests, functions of the time or of chance. Tables that a file makes in a way of
DataFusion's own are handed to the server with their rows.
"""

from __future__ import annotations

import collections
import math
import os
import re
import sys
from pathlib import Path

EXCEPTIONS = {
    "arrow_typeof": "tables hold views and dictionaries as plain texts",
    "arrow_field": "tables hold views and dictionaries as plain texts",
    "must appear in the GROUP BY clause": "DataFusion cannot ask a pyarrow dataset for "
    "its key, so other columns are not known to follow from it",
    "Correlated scalar subquery must be aggregated": "likewise",
    "datafusion.public.": "the catalog's name here is thanosql",
    "+00:00": "TIMESTAMP WITH TIME ZONE holds microseconds in UTC, as in PostgreSQL",
    "dictionary<values=string_view": "pyarrow cannot decode dictionaries of views",
    "encrypted_parquet": "files with keys are not read",
}
"""What differs, by a part of the query or of our answer, and why."""

_NOT_ASKED = re.compile(
    r"^\s*(EXPLAIN|SHOW|SET|RESET|DESCRIBE|DESC|PREPARE|EXECUTE|DEALLOCATE|COPY|BEGIN|"
    r"START|COMMIT|ROLLBACK)\b|information_schema|\b(now|random|uuid|version|"
    r"current_date|current_time|current_timestamp|today|arrow_metadata)\s*\(|"
    r"current_date|current_time|EXPLAIN",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"\bLIMIT\s+(\d+)(?:\s+OFFSET\s+(\d+))?\s*$", re.IGNORECASE)
_MAKES = re.compile(
    r"^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:UNBOUNDED\s+)?(?:EXTERNAL\s+)?"
    r"(?:TEMPORARY\s+|TEMP\s+)?(TABLE|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"]+)",
    re.IGNORECASE,
)
_CHANGES = re.compile(r"^\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+([\w.\"]+)", re.I)


class Beside:
    """DataFusion alone and our server, with the same tables."""

    def __init__(self, cursor):
        import datafusion

        from thanosql_server.engine.session import SETTINGS

        settings = datafusion.SessionConfig(SETTINGS).with_information_schema(True)
        self.alone = datafusion.SessionContext(settings)
        self.cursor = cursor
        self.lacking = {}

    def change(self, sql):
        """Carry out a statement on both, and see that both have its table."""
        try:
            self.alone.sql(sql).collect()
        except BaseException as error:
            _reraise(error)
            return
        made = _MAKES.match(sql) or _CHANGES.match(sql)
        try:
            self.cursor.execute(sql)
        except Exception as error:
            if made is None:
                return
            name = made[made.re.groups].strip('"')
            try:
                self._hand_over(name)
            except Exception:
                self.lacking[name.rpartition(".")[2].lower()] = str(error)

    def _hand_over(self, name):
        rows = self.alone.sql(f'SELECT * FROM "{name}"').to_arrow_table()
        self.cursor.ingest(name, rows, mode="replace")

    def lacks(self, sql):
        """Return why a table of the query is not there, if so."""
        words = set(re.findall(r"\w+", sql.lower()))
        return next((why for name, why in self.lacking.items() if name in words), None)

    def ask(self, sql):
        """Return the rows of DataFusion, and ours or what ours says.

        Raises:
            Exception: DataFusion does not answer.
        """
        theirs = rows_of(self.alone.sql(sql).to_arrow_table())
        try:
            ours = rows_of(self.cursor.execute(sql).fetch_arrow_table())
        except Exception as error:
            return theirs, f"{type(error).__name__}: {error}"
        return theirs, ours

    def might_be(self, sql, ours):
        """Whether rows are some of those that a query with a LIMIT chooses from.

        Which it takes is open where nothing orders them, or where some are equal.
        """
        limited = _LIMIT.search(sql)
        if limited is None or not isinstance(ours, list):
            return False
        try:
            every = rows_of(self.alone.sql(sql[: limited.start()]).to_arrow_table())
        except BaseException as error:
            _reraise(error)
            return False
        left = collections.Counter(every)
        left.subtract(ours)
        wanted = max(min(int(limited[1]), len(every) - int(limited[2] or 0)), 0)
        return len(ours) == wanted and min(left.values(), default=0) >= 0


def rows_of(table):
    """Return the rows as sorted texts, numbers to ten digits."""
    columns = [[_text(value) for value in one.to_pylist()] for one in table.columns]
    return sorted(zip(*columns, strict=True)) if columns else table.num_rows


def _text(value):
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.10g}"
    if isinstance(value, list):
        return str([_text(one) for one in value])
    if isinstance(value, dict):
        return str({name: _text(one) for name, one in value.items()})
    return str(value)


def _reraise(error):
    """Pass on what is no refusal of DataFusion; its panics are."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error


def drop_all(cursor):
    """Leave the server without tables and views."""
    from thanosql_server.sql.names import quote

    cursor.execute(
        "SELECT table_name, table_type FROM information_schema.tables "
        "WHERE table_schema = 'public' ORDER BY table_type DESC"
    )
    for name, kind in cursor.fetchall():
        word = "VIEW" if kind == "VIEW" else "TABLE"
        cursor.execute(f"DROP {word} IF EXISTS {quote(name)} CASCADE")


def run_file(path, cursor, counts, differing):
    """Run one file on both."""
    from sql_logic import records

    beside = Beside(cursor)
    for record in records(path):
        sql = record.sql
        if _NOT_ASKED.search(sql):
            counts["not about answers"] += record.query
            continue
        first = sql.split(None, 1)[0].upper() if sql else ""
        if first not in ("SELECT", "WITH", "VALUES", "(SELECT", "(", "FROM", "TABLE"):
            beside.change(sql)
            continue
        if not record.query:
            continue
        try:
            theirs, ours = beside.ask(sql)
        except BaseException as error:
            _reraise(error)
            counts["refused by DataFusion"] += 1
            continue
        lacking = beside.lacks(sql) if theirs != ours else None
        known = next(
            (why for part, why in EXCEPTIONS.items() if part in f"{sql}\n{ours}"), None
        )
        if theirs == ours or beside.might_be(sql, ours):
            counts["same"] += 1
        elif lacking:
            counts["of tables that cannot be stored"] += 1
            differing.append((f"{path.name}:{record.line}", "LACKS", lacking[:150], ""))
        elif known:
            counts["excepted"] += 1
        else:
            counts["different"] += 1
            differing.append((f"{path.name}:{record.line}", sql, theirs, ours))


def main():
    """Run all files, or those whose name contains the argument."""
    from surroundings import running_server, skip, verdict

    checkout = os.environ.get("THANOSQL_DATAFUSION")
    if not checkout:
        skip("THANOSQL_DATAFUSION names no checkout of apache/datafusion")
    import thanosql

    tests = Path(checkout, "datafusion", "sqllogictest")
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    files = sorted(tests.glob("test_files/**/*.slt"))
    os.chdir(tests)
    counts, differing = collections.Counter(), []
    with running_server() as (location, token):
        for path in files:
            if part not in str(path.relative_to(tests)):
                continue
            with thanosql.connect(location, token=token) as connection:
                cursor = connection.cursor()
                drop_all(cursor)
                run_file(path.resolve(), cursor, counts, differing)
    for place, sql, theirs, ours in differing:
        print(f"--- {place}\n{sql}")
        print(f"DataFusion: {str(theirs)[:300]}\nours: {str(ours)[:300]}")
    for what, number in counts.most_common():
        print(f"{number:6} {what}")
    asked = counts["same"] + counts["different"]
    verdict("sqllogictest_same", counts["same"], asked, at_least=True)


if __name__ == "__main__":
    main()
