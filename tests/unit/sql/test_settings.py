"""SET, RESET, SHOW and CANCEL as text."""

from __future__ import annotations

import pytest

from thanosql_server.errors import SyntaxError_
from thanosql_server.sql import nodes
from thanosql_server.sql.options import Parameter
from thanosql_server.sql.parser import parse
from thanosql_server.sql.settings import (
    CancelStatement,
    ResetSetting,
    SetSetting,
    ShowSetting,
    ShowStatements,
)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("SET a = 1", "a", 1),
        ("set A to 'x'", "a", "x"),
        ("SET SESSION a.b = -1.5;", "a.b", -1.5),
        ("SET session = 1", "session", 1),
        ('SET "A" = "x"', "a", "x"),
        ("SET a = on", "a", "on"),
        ("SET a = TRUE", "a", True),
        ("SET a = DEFAULT", "a", None),
        ("SET a TO ?", "a", Parameter(1)),
    ],
)
def test_set(text, name, value):
    statement = parse(text)
    assert isinstance(statement, SetSetting)
    assert (statement.name, statement.value) == (name, value)


@pytest.mark.parametrize("kind", [ResetSetting, ShowSetting])
@pytest.mark.parametrize(("rest", "name"), [("ALL", None), ("a.B", "a.b"), ("a;", "a")])
def test_reset_and_show(kind, rest, name):
    verb = "RESET" if kind is ResetSetting else "SHOW"
    statement = parse(f"{verb} {rest}")
    assert isinstance(statement, kind)
    assert statement.name == name


@pytest.mark.parametrize(
    "text",
    [
        "SHOW TABLES",
        "SHOW COLUMNS FROM t",
        "SHOW FUNCTIONS",
        "SHOW CREATE TABLE t",
        "SHOW a FROM b",
        "SHOW",
    ],
)
def test_other_shows_go_to_datafusion(text):
    assert isinstance(parse(text), nodes.SelectStatement)


def test_statements():
    assert isinstance(parse("SHOW STATEMENTS"), ShowStatements)
    assert parse("CANCEL STATEMENT 'x'").id == "x"
    bound = parse("cancel statement ?")
    assert isinstance(bound, CancelStatement)
    assert (bound.id, bound.parameter_count) == (Parameter(1), 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET", "the name of a setting"),
        ("SET a", "'=' or TO"),
        ("SET a =", "a value for a"),
        ("SET a = [1]", "a value for a"),
        ("SET a = NULL", "a value for a"),
        ("SET a = 1, 2", "the end of the statement"),
        ("SET TIME ZONE 'UTC'", "'=' or TO"),
        ("RESET", "the name of a setting, or ALL"),
        ("RESET a b", "the end of the statement"),
        ("RESET a.", "the rest of the name"),
        ("CANCEL", "STATEMENT after CANCEL"),
        ("CANCEL STATEMENT", "the id of a statement"),
        ("CANCEL STATEMENT x", "the id of a statement"),
        ("CANCEL STATEMENT 'x' 'y'", "the end of the statement"),
        ("SHOW STATEMENTS now", "the end of the statement"),
    ],
)
def test_what_is_expected_is_told(text, expected):
    with pytest.raises(SyntaxError_, match=f"expected {expected}"):
        parse(text)
