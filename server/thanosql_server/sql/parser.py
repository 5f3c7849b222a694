"""Text -> one statement.

One function per statement, found by the statement's first word in `_READERS`. Text of
queries is left alone; see `clauses` for how ThanoSQL clauses are found in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from thanosql_server.sql.alter import read_alter
from thanosql_server.sql.changes import read_delete, read_truncate, read_update
from thanosql_server.sql.clauses import UnsupportedClause, read_body, read_query
from thanosql_server.sql.complexity import check_complexity, check_length
from thanosql_server.sql.cursor import Cursor
from thanosql_server.sql.exports import read_copy_to
from thanosql_server.sql.indexes import (
    read_create_index,
    read_drop_index,
    read_show_indexes,
    shows_indexes,
)
from thanosql_server.sql.inserts import read_insert
from thanosql_server.sql.nodes import (
    BuildModel,
    Copy,
    CreateTableAs,
    CreateTableUsing,
    DeleteModel,
    DropTable,
    GetThanosql,
    SelectStatement,
    Statement,
    Unsupported,
)
from thanosql_server.sql.recognition import CLAUSE_VERBS, QUERY_WORDS
from thanosql_server.sql.refresh import read_refresh
from thanosql_server.sql.settings import read_cancel, read_reset, read_set, read_show
from thanosql_server.sql.tables import (
    read_comment_on,
    read_create_schema,
    read_create_table,
    read_drop_schema,
)
from thanosql_server.sql.versions import (
    read_optimize,
    read_restore,
    read_show_versions,
    read_vacuum,
)
from thanosql_server.sql.views import read_create_view, read_drop_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from thanosql_server.sql.nodes import TableName

# Known statements of DataFusion and PostgreSQL that the server does not run.
_FOREIGN = (
    "ABORT", "ANALYZE", "BEGIN", "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "COMMIT",
    "DEALLOCATE", "DECLARE", "DISCARD", "DO", "END", "EXECUTE", "FETCH",
    "GRANT", "IMPORT", "INSTALL", "KILL", "LISTEN", "LOAD", "LOCK", "MERGE", "MSCK",
    "NOTIFY", "PIVOT", "PRAGMA", "PREPARE", "REINDEX",
    "RELEASE", "REPLACE", "REVOKE", "ROLLBACK", "SAVEPOINT", "START",
    "UNCACHE", "UNLISTEN", "UNLOAD", "USE",
)  # fmt: skip
_TWO_WORDS = ("FIT", "UPLOAD")


def parse(text: str) -> Statement:
    """Parse exactly one statement; a `;` behind it and comments are fine.

    A statement that is known but not served comes back as `Unsupported`. Plain SQL is
    not checked beyond quotes and parentheses: that is DataFusion's part.

    Raises:
        SyntaxError_: with the line and column.
        StatementTooComplex: it is too long, or too much stands inside each other.
    """
    check_length(text)
    cursor = Cursor(text)
    check_complexity(text, cursor.tokens)
    if cursor.at_end():
        raise cursor.error("a statement")
    try:
        statement = _statement(cursor)
        cursor.expect_end()
    except UnsupportedClause as clause:
        statement = Unsupported(clause.verb, clause.span)
    return replace(statement, text=text, parameter_count=cursor.parameter_count)


def _statement(cursor: Cursor) -> Statement:
    if cursor.at_symbol("("):
        return SelectStatement(read_query(cursor))
    reader = _READERS.get(cursor.word())
    if reader is None:
        raise cursor.error("a statement", _READERS)
    return reader(cursor)


def _select(cursor: Cursor) -> Statement:
    return SelectStatement(read_query(cursor))


def _show(cursor: Cursor) -> Statement:
    if cursor.word(1) == "VERSIONS":
        return read_show_versions(cursor)
    if shows_indexes(cursor):
        return read_show_indexes(cursor)
    return read_show(cursor) or _select(cursor)


def _explain(cursor: Cursor) -> Statement:
    start = cursor.index
    cursor.advance()
    while cursor.word() in ("ANALYZE", "VERBOSE"):
        cursor.advance()
    if cursor.take_words("FORMAT") and not cursor.at_end():
        cursor.advance()
    explained = cursor.word()
    if explained in _READERS and _READERS[explained] not in (_select, _show, _explain):
        cursor.index = start
        return _unsupported(cursor, f"EXPLAIN {explained}")
    cursor.index = start
    return SelectStatement(read_query(cursor))


def _build(cursor: Cursor) -> Statement:
    cursor.expect_words("BUILD")
    cursor.expect_words("MODEL", expected="MODEL after BUILD")
    name, name_position = cursor.name("the name of the new model")
    cursor.expect_words("USING", expected="USING and a model family, such as SimCLR")
    family, family_position = cursor.name("a model family, such as SimCLR")
    options = cursor.options()
    body = read_body(cursor, "OPTIONS(...)" if options else f"USING {family}")
    return BuildModel(name, family, options, body, name_position, family_position)


def _copy(cursor: Cursor) -> Statement:
    cursor.advance()
    first = cursor.index
    if cursor.at_symbol("("):
        return read_copy_to(cursor)
    table = cursor.table_name()
    options = cursor.options()
    if cursor.word() in ("TO", "VERSION", "TIMESTAMP", "FOR"):
        cursor.index = first
        return read_copy_to(cursor)
    after = "OPTIONS(...)" if options else f"COPY {table}"
    cursor.expect_words("FROM", expected=f"FROM and a path in quotes after {after}")
    source, position = cursor.path("a path in quotes after FROM")
    return Copy(table, options, source, position)


def _create(cursor: Cursor) -> Statement:
    start = cursor.here()
    cursor.advance()
    or_replace = cursor.take_words("OR", "REPLACE")
    if cursor.word() == "SCHEMA" and not or_replace:
        return read_create_schema(cursor)
    if cursor.word() == "VIEW":
        return read_create_view(cursor, or_replace)
    if cursor.word() == "INDEX" and not or_replace:
        return read_create_index(cursor)
    if not cursor.take_words("TABLE"):
        return _unsupported(cursor, f"CREATE {cursor.word()}".rstrip(), start)
    if_not_exists = cursor.take_words("IF", "NOT", "EXISTS")
    table = cursor.table_name()
    if cursor.at_symbol("("):
        return read_create_table(cursor, table, or_replace, if_not_exists)
    if cursor.word() == "USING" and not or_replace:
        return _create_using(cursor, table, if_not_exists, start)
    query = read_body(cursor, f"CREATE TABLE {table}")
    return CreateTableAs(table, or_replace, if_not_exists, query)


def _create_using(
    cursor: Cursor, table: TableName, if_not_exists: bool, start: int
) -> Statement:
    cursor.expect_words("USING")
    model, model_position = cursor.name("the name of a model")
    options = cursor.options()
    if cursor.word() == "AS":
        return _unsupported(cursor, "CREATE TABLE ... USING ... AS", start)
    after = "OPTIONS(...)" if options else f"USING {model}"
    cursor.expect_words("FROM", expected=f"FROM and a folder in quotes after {after}")
    source, position = cursor.path("a folder in quotes after FROM")
    return CreateTableUsing(
        table, model, options, source, if_not_exists, model_position, position
    )


def _insert(cursor: Cursor) -> Statement:
    start = cursor.here()
    cursor.advance()
    if cursor.word() in ("OVERWRITE", "OR"):
        return _unsupported(cursor, f"INSERT {cursor.word()}", start)
    cursor.expect_words("INTO", expected="INTO after INSERT")
    return read_insert(cursor)


def _drop(cursor: Cursor) -> Statement:
    start = cursor.here()
    cursor.advance()
    if cursor.word() == "SCHEMA":
        return read_drop_schema(cursor)
    if cursor.word() == "VIEW":
        return read_drop_view(cursor)
    if cursor.word() == "INDEX":
        return read_drop_index(cursor)
    if not cursor.take_words("TABLE"):
        if cursor.word() == "MODEL":
            raise cursor.error("TABLE after DROP (models go with DELETE MODEL)")
        return _unsupported(cursor, f"DROP {cursor.word()}".rstrip(), start)
    if_exists = cursor.take_words("IF", "EXISTS")
    tables = [cursor.table_name()]
    while cursor.take_symbol(","):
        tables.append(cursor.table_name())
    cascade = cursor.take_words("CASCADE")
    if not cascade:
        cursor.take_words("RESTRICT")
    return DropTable(tuple(tables), if_exists, cascade)


def _delete(cursor: Cursor) -> Statement:
    if cursor.word(1) != "MODEL":
        return read_delete(cursor)
    cursor.expect_words("DELETE", "MODEL")
    name, position = cursor.name("the name of a model")
    return DeleteModel(name, position)


def _get(cursor: Cursor) -> Statement:
    cursor.advance()
    expected = "THANOSQL DATASET or THANOSQL MODEL after GET"
    cursor.expect_words("THANOSQL", expected=expected)
    dataset = cursor.take_words("DATASET")
    if not dataset:
        cursor.expect_words("MODEL", expected=expected)
    name, position = cursor.name("the name of a data set" if dataset else "a model")
    options = cursor.options()
    alias = cursor.name("a name after AS")[0] if cursor.take_words("AS") else None
    what: Literal["DATASET", "MODEL"] = "DATASET" if dataset else "MODEL"
    return GetThanosql(what, name, options, alias, position)


def _refresh(cursor: Cursor) -> Statement:
    if cursor.word(1) == "MATERIALIZED":
        return _foreign_pair(cursor)
    return read_refresh(cursor)


def _foreign(cursor: Cursor) -> Statement:
    return _unsupported(cursor, cursor.word())


def _foreign_pair(cursor: Cursor) -> Statement:
    return _unsupported(cursor, f"{cursor.word()} {cursor.word(1)}".rstrip())


def _unsupported(cursor: Cursor, verb: str, start: int | None = None) -> Statement:
    """Skip to the end of a statement that is not served."""
    start = cursor.here() if start is None else start
    while not cursor.at_end():
        cursor.advance()
    return Unsupported(verb, cursor.span_from(start))


_READERS: dict[str, Callable[[Cursor], Statement]] = {
    **dict.fromkeys(_FOREIGN, _foreign),
    **dict.fromkeys(_TWO_WORDS, _foreign_pair),
    **dict.fromkeys(CLAUSE_VERBS, _select),
    **dict.fromkeys(QUERY_WORDS, _select),
    **dict.fromkeys(("DESCRIBE", "DESC"), _select),
    "SHOW": _show,
    "RESTORE": read_restore,
    "OPTIMIZE": read_optimize,
    "VACUUM": read_vacuum,
    "SET": read_set,
    "RESET": read_reset,
    "REFRESH": _refresh,
    "CANCEL": read_cancel,
    "EXPLAIN": _explain,
    "BUILD": _build,
    "COPY": _copy,
    "CREATE": _create,
    "INSERT": _insert,
    "DROP": _drop,
    "DELETE": _delete,
    "ALTER": read_alter,
    "COMMENT": read_comment_on,
    "UPDATE": read_update,
    "TRUNCATE": read_truncate,
    "GET": _get,
}
