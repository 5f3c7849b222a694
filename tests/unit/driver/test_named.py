import pytest

import thanosql
from thanosql.named import numbered


@pytest.mark.parametrize(
    ("operation", "names", "text"),
    [
        ("SELECT :a", ["a"], "SELECT $1"),
        ("SELECT $name, :name", ["name"], "SELECT $1   , $1   "),
        ("SELECT :b+:a-(:b)", ["b", "a"], "SELECT $1+$2-($1)"),
        ("SELECT :고양이", ["고양이"], "SELECT $1  "),
        ("SELECT ':a', \":a\", `:a`", [], None),
        ("SELECT 'it''s :a' || :a", ["a"], "SELECT 'it''s :a' || $1"),
        ("SELECT E'\\':a' || :a", ["a"], "SELECT E'\\':a' || $1"),
        ("SELECT 1 -- :a\n, :a", ["a"], "SELECT 1 -- :a\n, $1"),
        ("SELECT /* :a /* :a */ :a */ :a", ["a"], "SELECT /* :a /* :a */ :a */ $1"),
        ("SELECT $$:a$$, $x$ :a $x$", [], None),
        ("SELECT :a::int, b::text", ["a"], "SELECT $1::int, b::text"),
        ("SELECT x[1:n], {'k':v}", [], None),
        ("SELECT ':a", [], None),
        ("SELECT /* :a", [], None),
        ("SELECT $1, ?", [], None),
    ],
)
def test_names_become_numbers_outside_of_what_only_looks_like_names(
    operation, names, text
):
    found, order = numbered(operation)
    assert order == names
    assert found == (operation if text is None else text)
    assert len(found) == len(operation)


def test_parameters_may_be_given_by_name(server, cursor):
    cursor.execute("ECHO: :b, :a, :b", {"a": 1, "b": "x", "more": None})
    assert cursor.fetchall() == [("x", 1)]
    assert server.executed[0].query == "ECHO: $1, $2, $1"


def test_many_sets_may_be_given_by_name(server, cursor):
    cursor.executemany("INSERT: :a", [{"a": 1}, {"a": 2}])
    assert cursor.rowcount == 2
    assert server.executed[0].query == "INSERT: $1"


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("ECHO: :name", {"nam": 1}, "no value for the parameter ':name'; did you mean"),
        ("ECHO: ?", {"a": 1}, "has no parameters by name, such as :name; values for ?"),
    ],
)
def test_missing_names_are_told(cursor, operation, parameters, message):
    with pytest.raises(thanosql.ProgrammingError, match=message):
        cursor.execute(operation, parameters)


def test_a_value_without_a_type_is_told_by_its_name(cursor):
    with pytest.raises(thanosql.DataError, match="parameter ':b' is of the Python"):
        cursor.execute("ECHO: :a, :b", {"a": 1, "b": object()})


def test_sets_by_name_and_by_place_do_not_mix(cursor):
    with pytest.raises(thanosql.ProgrammingError, match="set 2 is a tuple"):
        cursor.executemany("INSERT: :a", [{"a": 1}, (2,)])
    with pytest.raises(thanosql.ProgrammingError, match="not dict"):
        cursor.executemany("INSERT: ?", [(1,), {"a": 2}])
