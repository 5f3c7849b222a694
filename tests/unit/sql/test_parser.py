import pytest

from thanosql_server.errors import Position
from thanosql_server.sql import nodes
from thanosql_server.sql.options import Parameter
from thanosql_server.sql.parser import parse


def clause(text):
    found = parse(text).query.clause
    assert found is not None
    return found


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "VALUES (1)",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "DESCRIBE t",
        "TABLE t",
        "FROM t",
        "(SELECT 1)",
        "LIST MODEL",
        "CONVERT USING m AS SELECT 1",
    ],
)
def test_what_returns_rows_is_a_select_statement(text):
    statement = parse(text + " ; -- end")
    assert isinstance(statement, nodes.SelectStatement)
    assert statement.query.text == text


@pytest.mark.parametrize(
    ("text", "kinds", "values"),
    [
        ("text='a'", ["text"], ["a"]),
        ("texts=['a', 'b']", ["text", "text"], ["a", "b"]),
        ('IMAGE="a.jpg"', ["image"], ["a.jpg"]),
        ("images = [a, ?]", ["image", "image"], ["a", Parameter(1)]),
        ("text=$2", ["text"], [Parameter(2)]),
    ],
)
def test_search_items_stand_before_using(text, kinds, values):
    search = clause(f"search image {text} using M as (select 1)")
    assert [item.kind for item in search.items] == kinds
    assert [item.value for item in search.items] == values
    assert (search.medium, search.model, search.by_options) == ("IMAGE", "M", False)
    assert search.body.text == "select 1"


def test_search_items_stand_in_options():
    search = clause(
        "SEARCH IMAGE USING m OPTIONS(top_k=None, search_by=Image, search_input='a')"
        " AS SELECT 1"
    )
    assert [(item.kind, item.value) for item in search.items] == [("image", "a")]
    assert search.items[0].position == Position(1, 59)
    assert search.by_options
    assert search.options["top_k"] is None


def test_a_clause_knows_its_span_and_model():
    text = "SELECT * FROM (\n  CONVERT USING My_Model AS (SELECT 1)\n) s"
    (convert,) = parse(text).query.clauses
    assert convert.span.of(text) == "CONVERT USING My_Model AS (SELECT 1)"
    assert (convert.model, convert.model_position) == ("My_Model", Position(2, 17))


def test_the_lone_clause_of_a_query_is_known_in_parentheses_too():
    assert isinstance(clause("( (LIST TABLE))"), nodes.ListObjects)
    assert parse("SELECT * FROM (LIST TABLE)").query.clause is None
    assert parse("(LIST TABLE) LIMIT 1").query.clause is None


def test_walk_yields_inner_clauses_first():
    query = parse(
        "PRINT IMAGE AS SELECT * FROM (SEARCH IMAGE text='a' USING m AS "
        "CONVERT USING m AS SELECT 1) JOIN (LIST MODEL) ON true"
    ).query
    names = [type(one).__name__ for one in query.walk()]
    assert names == ["Convert", "Search", "ListObjects", "Print"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("LIST MODEL", "MODEL"),
        ("list table", "TABLE"),
        ("LIST THANOSQL MODEL", "THANOSQL MODEL"),
        ("LIST THANOSQL DATASET", "THANOSQL DATASET"),
    ],
)
def test_list_knows_what_it_lists(text, kind):
    assert clause(text).kind == kind


@pytest.mark.parametrize("medium", ["IMAGE", "AUDIO", "VIDEO"])
def test_print_reads_its_options(medium):
    found = clause(f"print {medium.lower()} OPTIONS(image_col='a') AS (SELECT 1)")
    assert isinstance(found, nodes.Print)
    assert found.medium == medium
    assert dict(found.options) == {"image_col": "a"}


def test_build_takes_a_query_that_goes_on_behind_parentheses():
    text = 'BUILD MODEL "My Model" USING SimCLR AS (SELECT 1) UNION ALL (SELECT 2)'
    build = parse(text)
    assert build.name == "My Model"
    assert build.body.text == "(SELECT 1) UNION ALL (SELECT 2)"


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("t", ("t",)),
        ("Tab", ("tab",)),
        ('"Tab"', ("Tab",)),
        ("`Tab`", ("Tab",)),
        ("public.t", ("public", "t")),
        ('Thano.public."A b"', ("thano", "public", "A b")),
        ("model", ("model",)),
    ],
)
def test_table_names_fold_unless_quoted(written, parts):
    assert parse(f"COPY {written} FROM 'x.csv'").table.parts == parts
    assert parse(f"DROP TABLE {written}").tables[0].parts == parts
    assert parse(f"CREATE TABLE {written} AS SELECT 1").table.parts == parts
    assert parse(f"INSERT INTO {written} SELECT 1").table.parts == parts


def test_copy_reads_options_and_source():
    copy = parse("COPY t OPTIONS (overwrite = True)\nFROM ?")
    assert dict(copy.options) == {"overwrite": True}
    assert (copy.source, copy.source_position) == (Parameter(1), Position(2, 6))


def test_create_table_using_reads_its_parts():
    create = parse("CREATE TABLE IF NOT EXISTS t USING m OPTIONS(a=1) FROM 'd'")
    assert isinstance(create, nodes.CreateTableUsing)
    assert (create.table.name, create.model, create.source) == ("t", "m", "d")
    assert create.if_not_exists


def test_create_table_as_reads_its_parts():
    create = parse("CREATE OR REPLACE TABLE t AS CONVERT USING m AS SELECT 1")
    assert isinstance(create, nodes.CreateTableAs)
    assert (create.or_replace, create.if_not_exists) == (True, False)
    assert isinstance(create.query.clause, nodes.Convert)
    assert parse("CREATE TABLE IF NOT EXISTS t AS SELECT 1").if_not_exists


@pytest.mark.parametrize(
    ("rest", "columns", "query"),
    [
        ("SELECT 1", None, "SELECT 1"),
        ("(SELECT 1)", None, "(SELECT 1)"),
        ('(a, "B") VALUES (1, 2)', ("a", "B"), "VALUES (1, 2)"),
        ("(A) (SELECT 1)", ("a",), "(SELECT 1)"),
        ("SEARCH IMAGE text='a' USING m AS SELECT 1", None, None),
    ],
)
def test_insert_tells_columns_from_a_query(rest, columns, query):
    text = f"INSERT  INTO t {rest}"
    insert = parse(text)
    assert insert.columns == columns
    assert insert.query.text == (query or rest)


def test_drop_takes_several_tables():
    drop = parse("DROP TABLE IF EXISTS a, B.c CASCADE")
    assert [str(table) for table in drop.tables] == ["a", "b.c"]
    assert drop.if_exists
    assert not parse("DROP TABLE a").if_exists


def test_delete_model_keeps_the_name_as_written():
    delete = parse("delete model My_Model")
    assert (delete.name, delete.name_position) == ("My_Model", Position(1, 14))


def test_get_reads_options_and_alias():
    get = parse("GET THANOSQL MODEL a OPTIONS (overwrite=True) AS b")
    assert (get.what, get.name, get.alias) == ("MODEL", "a", "b")
    assert parse("GET THANOSQL DATASET d").alias is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("SELECT 1", 0),
        ("SELECT ?, ?", 2),
        ("SELECT $3", 3),
        ("SELECT $2, $1, $2", 2),
        ("SEARCH IMAGE text=? USING m OPTIONS(a=?) AS SELECT ?", 3),
        ("UPDATE t SET a = ?", 1),
        ("SELECT '?', \"?\" -- ?", 0),
    ],
)
def test_parameters_are_counted_over_the_whole_statement(text, count):
    assert parse(text).parameter_count == count


UNSUPPORTED = [
    ("UPDATE t SET a = 1 WHERE b RETURNING a", "UPDATE ... RETURNING"),
    ("DELETE FROM t ORDER BY a LIMIT 1", "DELETE ... ORDER"),
    ("ALTER VIEW v RENAME TO w", "ALTER VIEW"),
    ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 1)", "ALTER TABLE ... ADD CONSTRAINT"),
    ("CREATE TEMPORARY VIEW v AS SELECT 1", "CREATE TEMPORARY"),
    ("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED"),
    ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x'", "CREATE EXTERNAL"),
    ("CREATE TABLE t USING m AS SELECT 1", "CREATE TABLE ... USING ... AS"),
    ("DROP INDEX v", "DROP INDEX"),
    ("begin", "BEGIN"),
    ("COMMIT;", "COMMIT"),
    ("INSERT OVERWRITE t SELECT 1", "INSERT OVERWRITE"),
    ("EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN DELETE"),
    ("EXPLAIN INSERT INTO t SELECT 1", "EXPLAIN INSERT"),
    ("FIT MODEL a USING b AS SELECT 1", "FIT MODEL"),
    ("UPLOAD MODEL a FROM 'x'", "UPLOAD MODEL"),
    ("PREDICT USING m AS SELECT 1", "PREDICT"),
    ("EVALUATE USING m AS SELECT 1", "EVALUATE"),
    ("TRANSFORM USING m AS SELECT 1", "TRANSFORM"),
    ("GENERATE USING GPT AS SELECT 1", "GENERATE"),
    ("FUNCTION compute.similarity OPTIONS(a=1) AS SELECT 1", "FUNCTION"),
    ("SEARCH AUDIO text='a' USING m AS SELECT 1", "SEARCH AUDIO"),
    ("SEARCH KEYWORD USING m AS SELECT 1", "SEARCH KEYWORD"),
    ("SELECT * FROM (PREDICT USING m AS SELECT 1) WHERE a", "PREDICT"),
    ("SELECT * FROM (SEARCH VIDEO text='a' USING m AS SELECT 1)", "SEARCH VIDEO"),
    ("CREATE TABLE t AS SELECT * FROM (EVALUATE USING m AS SELECT 1)", "EVALUATE"),
    ("SELECT * FROM (FUNCTION a.b AS SELECT 1)", "FUNCTION"),
]


@pytest.mark.parametrize(("text", "verb"), UNSUPPORTED)
def test_a_known_statement_that_is_not_served_is_named(text, verb):
    statement = parse(text)
    assert isinstance(statement, nodes.Unsupported)
    assert statement.verb == verb
    words = tuple(verb.split(" "))
    assert statement.span.of(text).upper().startswith(words)


def test_every_statement_keeps_its_text():
    text = " LIST MODEL -- all"
    assert parse(text).text == text
