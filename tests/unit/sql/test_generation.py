"""GENERATED ALWAYS AS and REFRESH, read from their text."""

from __future__ import annotations

import pytest

from thanosql_server.errors import NotSupported, SyntaxError_
from thanosql_server.sql.generation import DropExpression
from thanosql_server.sql.nodes import DropColumn, Unsupported
from thanosql_server.sql.parser import parse
from thanosql_server.sql.refresh import RefreshTable

AS = "GENERATED ALWAYS AS (embed_image('M1', \"Path\"))"


def column(definition):
    """Return the one column of a CREATE TABLE."""
    (found,) = parse(f"CREATE TABLE t ({definition})").columns
    return found


@pytest.mark.parametrize(
    ("definition", "type_"),
    [
        (f"e VECTOR {AS}", "VECTOR"),
        (f"e {AS}", "VECTOR"),
        (f"e VECTOR(3) {AS} STORED", "VECTOR(3)"),
        (f"e VECTOR(3) {AS} STORED COMMENT 'x'", "VECTOR(3)"),
        (f"e REAL[3] COMMENT 'x' {AS.lower().replace('m1', 'M1')}", "REAL[3]"),
    ],
)
def test_what_a_column_is_generated_from_is_read(definition, type_):
    found = column(definition)
    told = found.generation
    assert (found.name, found.type.text) == ("e", type_)
    assert (told.function, told.model) == ("embed_image", "M1")
    assert told.input.lower() == "path"


def test_names_keep_their_places_and_their_case():
    told = column(f"e VECTOR {AS}").generation
    assert told.input == "Path"
    assert (told.position.column, told.model_position.column) == (26, 59)
    assert told.input_position.column == 65


def test_alter_table_adds_and_drops():
    added = parse(f"ALTER TABLE t ADD COLUMN IF NOT EXISTS e {AS}").change
    assert added.column.generation.model == "M1"
    assert added.if_not_exists
    dropped = parse("ALTER TABLE t ALTER COLUMN e DROP EXPRESSION IF EXISTS").change
    assert isinstance(dropped, DropExpression)
    assert (dropped.name, dropped.if_exists) == ("e", True)
    for word, cascade in (("CASCADE", True), ("RESTRICT", False), ("", False)):
        change = parse(f"ALTER TABLE t DROP COLUMN p {word}").change
        assert isinstance(change, DropColumn)
        assert change.cascade is cascade


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("GENERATED ALWAYS AS (a + b)", NotSupported, "a generated column is"),
        ("GENERATED ALWAYS AS (embed_image)", NotSupported, "a generated column is"),
        ("GENERATED ALWAYS AS (embed_image(m, p))", SyntaxError_, "a model in quotes"),
        ("GENERATED ALWAYS AS (embed_image('m'))", SyntaxError_, "',' and a column"),
        (f"{AS[:-1]}, 3)", SyntaxError_, "expected ')'"),
        (f"{AS} VIRTUAL", NotSupported, "generated columns are stored"),
        (f"DEFAULT 1 {AS}", SyntaxError_, "both a default and an expression"),
        (f"{AS} NOT NULL", SyntaxError_, "cannot be NOT NULL"),
    ],
)
def test_what_cannot_be_generated_is_refused(text, error, message):
    with pytest.raises(error, match=message.replace(")", r"\)")) as caught:
        parse(f"CREATE TABLE t (p TEXT, e VECTOR {text})")
    assert caught.value.position.line == 1


@pytest.mark.parametrize("kind", ["ALWAYS AS IDENTITY", "BY DEFAULT AS IDENTITY"])
def test_columns_that_number_themselves_are_not_served(kind):
    found = parse(f"CREATE TABLE t (a INT GENERATED {kind})")
    assert isinstance(found, Unsupported)
    assert found.verb == "GENERATED"


@pytest.mark.parametrize(
    ("text", "columns", "full"),
    [
        ("REFRESH t", [], False),
        ("refresh table s.t", [], False),
        ("REFRESH TABLE t FULL", [], True),
        ('REFRESH TABLE t (e, "F") FULL;', ["e", "F"], True),
    ],
)
def test_refresh_is_read(text, columns, full):
    found = parse(text)
    assert isinstance(found, RefreshTable)
    assert found.table.name == "t"
    assert [name for name, _ in found.columns] == columns
    assert found.full is full


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("REFRESH", "expected a table name"),
        ("REFRESH TABLE t (", "expected a column of table t"),
        ("REFRESH TABLE t (e, e)", "column 'e' is named twice"),
        ("REFRESH TABLE t NOW", "expected the end of the statement"),
    ],
)
def test_a_refresh_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(SyntaxError_, match=message):
        parse(text)
