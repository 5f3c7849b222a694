"""Columns of rows that a clause takes: by their name, or by the usual ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from thanosql_server.errors import InvalidStatement, UndefinedColumn, nearest
from thanosql_server.ml.families import IMAGE_COLUMNS
from thanosql_server.ml.text_pipeline import TEXT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thanosql_server.errors import Position
    from thanosql_server.sql.options import Options


def pick_image_column(schema: pa.Schema, options: Options, option: str) -> str:
    """Return the column of pictures' paths; see `pick_path_column`."""
    return pick_path_column(schema, options, option, IMAGE_COLUMNS, "picture")


def pick_path_column(
    schema: pa.Schema,
    options: Options,
    option: str,
    usual: Sequence[str],
    word: str,
) -> str:
    """Return the column of paths: the one the option names, or a usual name.

    Raises:
        UndefinedColumn: there is no such column, or none of the usual ones.
        InvalidStatement: the column does not hold text.
    """
    name = options.text(option)
    position = options.position(option) if name is not None else None
    wanted = usual if name is None else (name,)
    found = [column for one in wanted if (column := find_column(schema, one))]
    if not found:
        if name is None:
            raise UndefinedColumn(
                f"the rows have no column of {word} paths ({', '.join(usual)}); "
                f"name it with OPTIONS({option}='...')"
            )
        hint = nearest(name, schema.names) or "; there are " + ", ".join(schema.names)
        raise UndefinedColumn(f"there is no column '{name}'{hint}", position=position)
    return _of_text(schema, found[0], f"the paths of {word}s", position)


def pick_converted_text(schema: pa.Schema, options: Options) -> str:
    """Return the column of texts: the one the option names, or a usual name.

    Raises:
        UndefinedColumn: there is no such column, or none of the usual ones.
        InvalidStatement: the column does not hold text.
    """
    name = options.text("text_col")
    if name is not None:
        return pick_text_column(schema, name, options.position("text_col"))
    for usual in TEXT_COLUMNS:
        column = find_column(schema, usual)
        if column is not None:
            return _of_text(schema, column, "texts", None)
    raise UndefinedColumn(
        f"the rows have no column of texts ({', '.join(TEXT_COLUMNS)}); name it with "
        "OPTIONS(text_col='...')",
        position=options.position("convert_type"),
    )


def pick_text_column(schema: pa.Schema, name: str, position: Position | None) -> str:
    """Return the column of texts that an option names, in whatever case.

    Raises:
        UndefinedColumn: there is no such column.
        InvalidStatement: the column does not hold text.
    """
    column = find_column(schema, name)
    if column is None:
        hint = nearest(name, schema.names) or "; there are " + ", ".join(schema.names)
        raise UndefinedColumn(
            f"there is no column '{name}' of texts{hint}", position=position
        )
    return _of_text(schema, column, "texts", position)


def find_column(schema: pa.Schema, name: str) -> str | None:
    """Return the column of that name, exactly or else without regard to case."""
    if name in schema.names:
        return name
    for column in schema.names:
        if column.lower() == name.lower():
            return str(column)
    return None


def unused_name(name: str, taken: Sequence[str]) -> str:
    """Return `name`, with a number if it is taken."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}{number}"
    return candidate


def _of_text(
    schema: pa.Schema, column: str, wanted: str, position: Position | None
) -> str:
    """Return the column, or raise InvalidStatement if it does not hold text."""
    dtype = schema.field(column).type
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return column
    raise InvalidStatement(
        f"column '{column}' holds {dtype}, not {wanted}", position=position
    )
