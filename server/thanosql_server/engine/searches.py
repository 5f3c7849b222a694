"""What a SEARCH means: which column, which functions, which names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from thanosql_server.engine.columns import find_column
from thanosql_server.engine.functions import comparison_function, label
from thanosql_server.errors import (
    InvalidStatement,
    InvalidValue,
    NotSupported,
    UndefinedColumn,
)
from thanosql_server.search.exact import Comparison
from thanosql_server.search.together import Together
from thanosql_server.search.vectors import dim_of, is_vector_type
from thanosql_server.sql.names import (
    SEARCH_RESULT,
    embedding_column,
    similarity_column,
    text_column,
)
from thanosql_server.sql.options import Parameter, bind
from thanosql_server.sql.rewriter import SearchFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from thanosql_server.engine.functions import Vector
    from thanosql_server.engine.models import ModelHandle
    from thanosql_server.engine.planning import Planning
    from thanosql_server.errors import Position
    from thanosql_server.sql.nodes import Search, SearchItem
    from thanosql_server.sql.options import Options, Value

TOP_K = 1000
"""Rows that SEARCH ... OPTIONS(search_by=...) keeps unless told otherwise."""

SEARCH_OPTIONS = ("emb_col", "result_col", "column_name")
SEARCH_BY_OPTIONS = (*SEARCH_OPTIONS, "search_by", "search_input", "top_k")


def facts(planning: Planning, clause: Search, body: str) -> SearchFacts:
    """Return the similarity columns of a SEARCH over `body`."""
    options = planning.bound(clause.options)
    known = SEARCH_BY_OPTIONS if clause.by_options else SEARCH_OPTIONS
    options.require_known(known, f"SEARCH {clause.medium}")
    handle = planning.clauses.model(clause.model, clause.model_position)
    schema = planning.schema_of(body)
    column = _embedding_column(clause, handle, schema, options)
    dtype = schema.field(column).type
    comparisons = [_comparison(planning, handle, item) for item in clause.items]
    functions = _registered(planning, comparisons, dtype)
    names = _similarity_names(clause, handle, column, options)
    return SearchFacts(
        column,
        functions,
        tuple(label(str(_bound(planning, item))) for item in clause.items),
        names,
        tuple(name for name in schema.names if name in names),
        is_sorted=clause.by_options,
        top_k=_top_k(options) if clause.by_options else None,
    )


def _embedding_column(
    clause: Search, handle: ModelHandle, schema: pa.Schema, options: Options
) -> str:
    """Return the column of the body that is searched.

    For texts that is the column of CONVERT with convert_type='text', if there is
    one; `convert_result` is what CONVERT called its column from 2022-11 on.
    """
    default = embedding_column(handle.name, handle.family.base)
    usual = [text_column(default)] if clause.medium == "TEXT" else []
    usual.append(default)
    wanted = options.text("emb_col")
    names = usual if wanted is None else [wanted]
    if wanted is not None and wanted.lower() == "convert_result":
        names += usual
    found = [column for name in names if (column := find_column(schema, name))]
    position = clause.model_position
    if not found:
        name = names[0]
        text = " OPTIONS(convert_type='text', ...)" if len(usual) > 1 else ""
        raise UndefinedColumn(
            f"the searched rows have no embedding column '{name}'; "
            f"CONVERT USING {clause.model}{text} makes it",
            position=position,
        )
    column = found[0]
    dtype = schema.field(column).type
    if not is_vector_type(dtype):
        raise InvalidStatement(
            f"column '{column}' holds {dtype}, not embeddings", position=position
        )
    dim = dim_of(dtype)
    if dim is not None and dim != handle.dim:
        raise InvalidStatement(
            f"the embeddings in '{column}' have {dim} numbers, those of model "
            f"'{handle.name}' have {handle.dim}; CONVERT the rows again",
            position=position,
        )
    return column


def _comparison(
    planning: Planning, handle: ModelHandle, item: SearchItem
) -> Comparison:
    """Return the comparison with one query item."""
    position = item.position
    if item.kind not in handle.family.media:
        raise NotSupported(
            f"model '{handle.name}' is a {handle.family.name} and cannot search by "
            f"{item.kind}; give {' or '.join(sorted(handle.family.media))}='...'",
            position=position,
        )
    query = _query(planning, handle, item, position)
    planning.clauses.warm_up.append(query)
    return Comparison(query)


def _registered(
    planning: Planning, comparisons: list[Comparison], dtype: pa.DataType
) -> tuple[str, ...]:
    """Register the similarity functions of a SEARCH and return their names."""
    together, names = Together(comparisons), []
    for number, comparison in enumerate(comparisons):
        name = planning.clauses.function_name("cosine_similarity")
        scores = partial(together.scores, number) if len(comparisons) > 1 else None
        planning.context.register_udf(
            comparison_function(name, dtype, comparison, planning.guard, scores=scores)
        )
        planning.clauses.queries[name] = comparison
        names.append(name)
    return tuple(names)


def _query(
    planning: Planning, handle: ModelHandle, item: SearchItem, position: Position
) -> Callable[[], Vector]:
    value = _bound(planning, item)
    if isinstance(value, Parameter):
        return _unbound
    if not isinstance(value, str):
        raise InvalidValue(
            f"SEARCH takes a text or the path of a picture, not {value!r}",
            position=position,
        )
    if item.kind == "text" and not value.strip():
        raise InvalidValue("the text to search for is empty", position=position)
    return planning.clauses.item_vector(handle, item.kind, value, position)


def _bound(planning: Planning, item: SearchItem) -> Value:
    """Return what is searched for, or its parameter while that has no value."""
    arguments = planning.arguments
    if arguments is None:
        return item.value
    return bind(item.value, [value.as_py() for value in arguments])


def _similarity_names(
    clause: Search, handle: ModelHandle, column: str, options: Options
) -> tuple[str, ...]:
    """Return the names of the similarities: as wanted, or as the form's time had them.

    The options `search_by` and `emb_col` are of 2022-11 and later, when the column was
    called `search_result`; before, it was named after the embedding.
    """
    wanted = options.text("result_col") or options.text("column_name")
    if wanted is None and not clause.by_options and "emb_col" not in options:
        return tuple(
            similarity_column(column.lower(), n + 1) for n in range(len(clause.items))
        )
    name = wanted or SEARCH_RESULT
    return tuple(f"{name}{n or ''}" for n in (0, *range(2, len(clause.items) + 1)))


def _top_k(options: Options) -> int | None:
    if "top_k" in options and options["top_k"] is None:
        return None
    return options.integer("top_k", TOP_K, minimum=0)


def _unbound() -> Vector:
    raise InvalidStatement("the statement's parameters have no values yet")
