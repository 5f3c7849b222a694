"""What the planner sees of views: the plan of their text, hints included."""

from __future__ import annotations

from thanosql_server.engine.planning import Planning
from thanosql_server.sql.parser import parse
from thanosql_server.storage.views import View


def test_a_limit_reaches_the_table_below_a_view(numbers):
    numbers("CREATE VIEW v AS SELECT id FROM t")
    numbers("CREATE VIEW w AS SELECT * FROM v")
    statement = parse("SELECT * FROM w LIMIT 3")
    planning = Planning(numbers.engine._environment, statement, ())
    plan = planning.frame(statement.query).optimized_logical_plan()
    from thanosql_server.engine.planner import give_hints

    give_hints(plan, planning.clauses.queries, planning.catalog.tables.handed_out)
    assert [one.limit for one in planning.catalog.tables.handed_out] == [3]
    assert numbers.rows("SELECT * FROM w LIMIT 3") == [(0,), (1,), (2,)]


def test_a_statement_sees_one_version_of_a_table_and_its_views(numbers):
    numbers("CREATE VIEW v AS SELECT id FROM t")
    plan = numbers.engine.plan("SELECT count(*) FROM t CROSS JOIN (SELECT 1 FROM v)")
    numbers("DELETE FROM t WHERE id > 9")
    from thanosql_server.control import Control

    (batch,) = (one for one in plan.run(Control()) if one is not None)
    assert batch.column(0).to_pylist() == [1_000_000]


def test_listings_tell_views_from_tables(numbers):
    numbers("CREATE VIEW v AS SELECT id, name FROM t")
    numbers.workspace.views.create(
        "broken", View("SELECT * FROM nothing"), numbers.workspace.tables,
        overwrite=False,
    )  # fmt: skip
    infos = {one.name: one for one in numbers.engine.tables(columns=True)}
    assert infos["t"].kind == "TABLE"
    assert infos["v"].kind == "VIEW"
    assert infos["v"].columns.names == ["id", "name"]
    assert infos["broken"].columns is None
    assert ("t",) in numbers.rows("LIST TABLE")


def test_views_that_read_each_other_often_are_planned_once_each(numbers, monkeypatch):
    numbers("CREATE VIEW d0 AS SELECT 1 AS n")
    for number in range(1, 6):
        before = f"d{number - 1}"
        numbers(
            f"CREATE VIEW d{number} AS SELECT (SELECT max(n) FROM {before}) + "
            f"(SELECT min(n) FROM {before}) AS n"
        )
    planned = []

    def counted(text):
        planned.append(text)
        return parse(text)

    monkeypatch.setattr("thanosql_server.engine.planning.parse", counted)
    assert numbers.rows("SELECT n FROM d5") == [(32,)]
    assert len(planned) == 6
