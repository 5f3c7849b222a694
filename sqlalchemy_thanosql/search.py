"""SEARCH as something to select from, beside tables and subqueries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, column, select
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.selectable import TextualSelect
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import REAL, String

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.sql.selectable import FromClause, Select, Subquery


class SearchClause(ClauseElement):
    """`SEARCH IMAGE|TEXT text|image=... USING model OPTIONS(...) AS query`.

    Attributes:
        medium: IMAGE or TEXT: what the rows hold.
        by: text or image: what is searched for.
        inputs: the texts, or paths of pictures, as parameters.
        model: the name of the model.
        options: more options, as pairs of a name and its spelling.
        body: the query whose rows are searched.
    """

    __visit_name__ = "thanosql_search"
    _traverse_internals = [  # noqa: RUF012 - as SQLAlchemy has it
        ("medium", InternalTraversal.dp_string),
        ("by", InternalTraversal.dp_string),
        ("inputs", InternalTraversal.dp_clauseelement_list),
        ("model", InternalTraversal.dp_string),
        ("options", InternalTraversal.dp_plain_obj),
        ("body", InternalTraversal.dp_clauseelement),
    ]
    inherit_cache = True

    def __init__(
        self,
        medium: str,
        by: str,
        inputs: Sequence[Any],
        model: str,
        options: tuple[tuple[str, str], ...],
        body: Any,
    ) -> None:
        self.medium = medium
        self.by = by
        self.inputs = list(inputs)
        self.model = model
        self.options = options
        self.body = body


def search_image(
    table: FromClause | Select[Any],
    *,
    model: str,
    text: str | Sequence[str] | None = None,
    image: str | Sequence[str] | None = None,
    column: str = "similarity",
    **options: Any,
) -> Subquery:
    """Return the rows of a table of pictures, with how similar each is.

    Args:
        table: a table with embeddings of pictures, or a query over one.
        model: the model that made the embeddings.
        text: what to search for, in words; several give several columns.
        image: the path of a picture to search for, instead of a text.
        column: the name of the similarity, from -1 to 1; that of a second text or
            picture is the same with a 2 behind it.
        options: more options of SEARCH, such as ``emb_col="other"``.

    Raises:
        ArgumentError: not exactly one of `text` and `image` is given.
    """
    return _search("IMAGE", table, model, text, image, column, options)


def search_text(
    table: FromClause | Select[Any],
    *,
    model: str,
    text: str | Sequence[str] | None = None,
    image: str | Sequence[str] | None = None,
    column: str = "similarity",
    **options: Any,
) -> Subquery:
    """Return the rows of a table of texts, with how similar each is.

    The arguments are those of `search_image`; the table has embeddings of texts.

    Raises:
        ArgumentError: not exactly one of `text` and `image` is given.
    """
    return _search("TEXT", table, model, text, image, column, options)


def _search(
    medium: str,
    table: Any,
    model: str,
    text: Any,
    image: Any,
    name: str,
    options: dict[str, Any],
) -> Subquery:
    if (text is None) == (image is None):
        raise ArgumentError("a search is for a text or for an image: give one of them")
    by, wanted = ("text", text) if image is None else ("image", image)
    inputs = [wanted] if isinstance(wanted, str) else list(wanted)
    whole: Any = select  # its overloads are too many for a star
    body = table if hasattr(table, "selected_columns") else whole(*table.c)
    given = (("result_col", name), *sorted(options.items()))
    clause: Any = SearchClause(
        medium,
        by,
        [bindparam(None, one, type_=String()) for one in inputs],
        model,
        tuple((key, _spelled(value)) for key, value in given),
        body,
    )
    names = [f"{name}{number or ''}" for number in [0, *range(2, len(inputs) + 1)]]
    columns: list[Any] = [_column(one.name, one.type) for one in body.selected_columns]
    columns += [_column(one, REAL()) for one in names]
    # It only hands the clause on, whatever its type.
    return TextualSelect(clause, columns).subquery()


def _column(name: str, type_: Any) -> Any:
    return column(name, type_)


def _spelled(value: Any) -> str:
    """Return an option's value as OPTIONS has it."""
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
