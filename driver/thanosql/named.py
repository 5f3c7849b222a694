"""Parameters by name: `:name` and `$name` in a statement become `$1`, `$2`, ...

The server numbers parameters. A number is padded with blanks to the length of its
name, so that positions in errors are those of the statement as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from thanosql.conninfo import nearest
from thanosql.errors import ProgrammingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# What may hold a colon or a dollar without naming a parameter, then the names. Quotes
# without an end reach to the end of the text; the server says what is wrong with them.
# A name stands after an operator, a comma, a bracket or a blank: in `a[1:n]`, `t::int`
# and `'x':y` there is none.
_TOKENS = re.compile(
    r"""
      (?<!\w)[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)
    | '(?:[^']|'')*(?:'|\Z)
    | "(?:[^"]|"")*(?:"|\Z)
    | `[^`]*(?:`|\Z)
    | --[^\n]*
    | (?P<comment>/\*)
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
    | ::
    | (?<![\w\])'"`:$])[:$](?P<name>[^\W\d]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def is_mapping(parameters: Any) -> bool:
    """Whether parameters come by name."""
    return isinstance(parameters, Mapping)


def numbered(operation: str) -> tuple[str, list[str]]:
    """Return the statement with numbers for names, and the names in their order."""
    names: list[str] = []

    def number(name: str) -> str:
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}".ljust(len(name) + 1)

    return _replaced(operation, number), names


def rows_by_name(names: Sequence[str], sets: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the values of each set in the order of the names; others are left out.

    Raises:
        ProgrammingError: a name has no value, or a set is no mapping.
    """
    for number, given in enumerate(sets, start=1):
        if not is_mapping(given):
            raise ProgrammingError(
                f"set {number} is a {type(given).__name__}, but the first one has names"
            )
        if not names and given:
            raise ProgrammingError(
                "the statement has no parameters by name, such as :name; "
                "values for ? are given in a list"
            )
        yield [_value(name, given) for name in names]


def _value(name: str, given: Mapping[str, Any]) -> Any:
    if name in given:
        return given[name]
    hint = nearest(name, [key for key in given if isinstance(key, str)])
    raise ProgrammingError(f"no value for the parameter ':{name}'{hint}")


def _replaced(operation: str, number: Callable[[str], str]) -> str:
    pieces: list[str] = []
    kept = at = 0
    while match := _TOKENS.search(operation, at):
        at = match.end()
        if match["comment"]:
            at = _comment_end(operation, at)
        elif match["name"]:
            pieces += operation[kept : match.start()], number(match["name"])
            kept = at
    return "".join(pieces) + operation[kept:]


def _comment_end(operation: str, at: int) -> int:
    """Return where the comment ends that begins before `at`; comments may nest."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(operation, at)):
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return len(operation) if depth else at
