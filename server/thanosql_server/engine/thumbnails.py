"""`image_html`: pictures as HTML, made as the rows go out.

Inside a query the call stands for its path between two marks, which costs nothing: a
query that sorts a million rows and keeps ten of them must not read a million pictures.
In the rows that leave, the marks become `<img>` elements.
"""

from __future__ import annotations

import html
import re
import secrets
from base64 import b64encode
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import ScalarUDF, udf

from thanosql_server.engine.executor import in_thread
from thanosql_server.errors import (
    InvalidStatement,
    InvalidValue,
    NotSupported,
    ThanoSQLError,
)
from thanosql_server.ml.decoding import Failure, Unreadable
from thanosql_server.ml.media import UnreadableImage
from thanosql_server.ml.thumbnail import thumbnail
from thanosql_server.sql.nodes import Convert, CreateView, Parameter, SelectStatement
from thanosql_server.sql.tokens import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thanosql_server.control import Control
    from thanosql_server.engine.planning import Planning
    from thanosql_server.sql.nodes import Call, Statement
    from thanosql_server.storage.paths import PathPolicy

WIDTHS = range(16, 1025)
"""Pixels that a thumbnail may be wide."""
USUAL_WIDTH = 200
AHEAD = 4
"""Pictures under way per thread, ahead of the row that is being written."""
BATCH_BYTES = 1 << 20
"""A batch goes out when its pictures have so many characters, whatever its rows."""
VALUE_BYTES = 8 << 20
"""A longer value is not handed over: clients refuse messages over 16 MiB."""

Made: TypeAlias = "str | Failure"
"""An `<img>` element, or why there is none."""


class Thumbnails:
    """The calls of `image_html` in one statement, and what becomes of their marks.

    Args:
        paths: says which files may be read.
        threads: how many pictures are read at a time.

    Attributes:
        used: whether the statement has such a call.
    """

    def __init__(self, paths: PathPolicy, threads: int) -> None:
        self.used = False
        self._paths = paths
        self._threads = threads
        # No data can hold a mark, since none can know the number in it.
        nonce = secrets.token_hex(8)
        self._start, self._end = f"<{nonce}:", f":{nonce}>"
        self._unreadable = Unreadable()
        self._too_long = 0

    @cached_property
    def _mark(self) -> re.Pattern[str]:
        return re.compile(f"{self._start}([0-9]+):(.*?){self._end}", re.DOTALL)

    def function(self, name: str, width: int) -> ScalarUDF:
        """Return `name(paths)`: the paths between marks, NULL for NULL."""
        start = f"{self._start}{width}:"
        self.used = True

        def evaluate(paths: pa.Array) -> pa.Array:
            return pc.binary_join_element_wise(start, paths, self._end, "")

        return udf(evaluate, [pa.string()], pa.string(), "immutable", name)

    def with_pictures(
        self, batches: Iterator[pa.RecordBatch | None], control: Control
    ) -> Iterator[pa.RecordBatch | None]:
        """Put pictures in the place of marks, a few rows at a time.

        Args:
            batches: rows; None, which is handed on, while there are none yet.
            control: is checked for each picture, and gets one warning for all that
                cannot be read, and one for all values that are too long.
        """
        with ThreadPoolExecutor(self._threads, thread_name_prefix="thumbnail") as pool:
            try:
                for batch in batches:
                    if batch is None or not batch.num_rows:
                        yield batch
                    else:
                        yield from _one_by_one(
                            self._parts(batch, pool, control), control
                        )
            finally:
                pool.shutdown(cancel_futures=True)
                self._warn(control)

    def _parts(
        self, batch: pa.RecordBatch, pool: ThreadPoolExecutor, control: Control
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a batch, cut where there are enough pictures."""
        fields = enumerate(batch.schema)
        columns = {
            place: batch.column(place).to_pylist()
            for place, field in fields
            if _holds_text(field.type)
        }
        marks = (
            self._mark.findall(text)
            for row in range(batch.num_rows)
            for values in columns.values()
            for text in _texts(values[row])
        )
        made = self._made((mark for found in marks for mark in found), pool, control)
        start = size = 0
        for row in range(batch.num_rows):
            for values in columns.values():
                values[row] = value = self._replaced(values[row], made)
                size += sum(map(len, _texts(value)))
            end = row + 1
            if size >= BATCH_BYTES or end == batch.num_rows:
                part = batch.slice(start, end - start)
                for place, values in columns.items():
                    field = batch.schema.field(place)
                    column = pa.array(values[start:end], field.type)
                    part = part.set_column(place, field, column)
                    values[start:end] = [None] * (end - start)
                yield part
                start, size = end, 0

    def _made(
        self,
        marks: Iterable[tuple[str, str]],
        pool: ThreadPoolExecutor,
        control: Control,
    ) -> Iterator[Made]:
        """Yield the pictures for pairs of width and path, in order."""
        waiting, ahead = iter(marks), deque[Future[Made]]()
        room = AHEAD * self._threads
        while True:
            control.check()
            for width, path in islice(waiting, room - len(ahead)):
                ahead.append(pool.submit(self._element, path, int(width)))
            if not ahead:
                return
            yield ahead.popleft().result()

    def _element(self, path: str, width: int) -> Made:
        """Return the picture at a path as an element."""
        try:
            picture = thumbnail(self._paths.resolve(path), width)
        except UnreadableImage as error:
            return Failure(path, error.reason)
        except ThanoSQLError as error:
            return Failure(path, error.message)
        data = b64encode(picture.jpeg).decode("ascii")
        return (
            f'<img src="data:image/jpeg;base64,{data}" width="{picture.width}" '
            f'height="{picture.height}" alt="{html.escape(path)}">'
        )

    def _replaced(self, value: Any, made: Iterator[Made]) -> Any:
        """Return a value with the next pictures in the place of its marks.

        A text that is but a mark becomes NULL if there is no picture; in a longer one
        its place stays empty.
        """
        if isinstance(value, str):
            return self._replaced_text(value, made)
        if isinstance(value, dict):
            return {key: self._replaced(one, made) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._replaced(one, made) for one in value)
        return value

    def _replaced_text(self, text: str, made: Iterator[Made]) -> str | None:
        pieces, at, size, failed = list[str](), 0, 0, 0
        for mark in self._mark.finditer(text):
            element = next(made)
            self._unreadable.seen += 1
            pieces.append(text[at : mark.start()])
            at = mark.end()
            if isinstance(element, Failure):
                self._unreadable.add(element.path, element.reason)
                failed += 1
            elif size + len(element) <= VALUE_BYTES:
                pieces.append(element)
            size += len(element) if isinstance(element, str) else 0
        if size > VALUE_BYTES:
            self._too_long += 1
            return None
        rest = "".join(pieces) + text[at:]
        return None if failed and not rest else rest

    def _warn(self, control: Control) -> None:
        self._unreadable.warn(control, "are not shown")
        if self._too_long:
            values = "value is" if self._too_long == 1 else "values are"
            control.warn(
                f"{self._too_long} {values} NULL: the pictures in one value may take "
                f"{VALUE_BYTES >> 20} MiB; take fewer, or a smaller width"
            )


def _one_by_one(
    parts: Iterator[pa.RecordBatch], control: Control
) -> Iterator[pa.RecordBatch | None]:
    """Yield the parts, made on another thread, and None while there is none yet."""
    made = deque[pa.RecordBatch]()
    while True:
        yield from in_thread(lambda: made.extend(islice(parts, 1)), control)
        if not made:
            return
        yield made.popleft()


def check(planning: Planning, call: Call) -> None:
    """Check a call of `image_html`.

    Raises:
        InvalidStatement: there are too few or too many arguments.
        InvalidValue: the width is none.
        NotSupported: the statement does not hand its rows to a client.
    """
    if len(call.arguments) not in (1, 2):
        raise InvalidStatement(
            f"{call.function} takes the path of a picture and a width in pixels, not "
            f"{len(call.arguments)} arguments",
            position=call.position,
        )
    if not _shows_rows(planning.root.statement):
        raise NotSupported(
            f"{call.function} makes pictures for rows that are shown, and they cannot "
            "be stored; store the path, and call it in the query that shows the rows",
            position=call.position,
        )
    width_of(planning, call)


def _shows_rows(statement: Statement) -> bool:
    """Return whether what a statement computes goes to a client, or is a view."""
    if not isinstance(statement, (SelectStatement, CreateView)):
        return False
    return not any(
        isinstance(clause, Convert) and "table_name" in clause.options
        for clause in statement.query.walk()
    )


def width_of(planning: Planning, call: Call) -> int:
    """Return the width that a call asks for, in pixels."""
    if len(call.arguments) == 1:
        return USUAL_WIDTH
    argument = call.arguments[1]
    shown = argument.span.of(planning.statement.text)
    width: Any = int(shown) if re.fullmatch("[0-9]{1,9}", shown) else None
    if isinstance(argument.value, Parameter):
        if planning.arguments is None:
            return USUAL_WIDTH
        width = planning.arguments[argument.value.index - 1].as_py()
        shown = repr(width)
    if not isinstance(width, int) or width not in WIDTHS:
        raise InvalidValue(
            f"{call.function} takes a width from {WIDTHS[0]} to {WIDTHS[-1]} pixels, "
            f"not {excerpt(shown)}",
            position=argument.position,
        )
    return width


def _holds_text(dtype: pa.DataType) -> bool:
    if pa.types.is_dictionary(dtype):
        return _holds_text(dtype.value_type)
    fields = (dtype.field(index) for index in range(dtype.num_fields))
    return (
        pa.types.is_string(dtype)
        or pa.types.is_large_string(dtype)
        or pa.types.is_string_view(dtype)
        or any(_holds_text(field.type) for field in fields)
    )


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value, in the order in which they are replaced."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
