"""Texts of a grammar as docs/sql writes it.

`[a | b]` may be left out, `{a | b}` is a choice, `[, ...]` is once more what stands
before it. Words in lower case stand for what `SAMPLES` has, or for themselves.
"""

from __future__ import annotations

import itertools
import re

SAMPLES = {
    "table": "t",
    "others": "o",
    "columns": "c, d",
    "values": "1, 'x'",
    "value": "1",
    "type": "INT",
    "rule": "SET NULL",
    "n": "1",
    "k": "5",
    "items": "*",
    "source": "t",
    "condition": "a = 1",
    "query": "SELECT 1 AS a",
    "sought": "['x', ?]",
    "...": "a=1",
}
_REPEAT = "[, ...]"
_TOKEN = re.compile(r"\[, \.\.\.\]|'[^']*'|\w+|\.\.\.|\S")


def texts(form):
    """Return texts that differ from the shortest one in one choice each.

    What must be chosen to come to that choice is chosen as well.
    """
    tokens = _TOKEN.findall(form)
    made = _alternatives(tokens)
    assert not tokens, f"'{tokens[0]}' closes nothing in: {form}"
    [words] = made
    return [" ".join(_filled(text)) for text in words]


def _filled(words):
    numbers = itertools.count()
    for word in words:
        yield f"c{next(numbers)}" if word == "column" else SAMPLES.get(word, word)


def _alternatives(tokens):
    """Read up to what closes a group; return the texts of each alternative."""
    alternatives = [[]]
    while tokens and tokens[0] not in ("]", "}"):
        token = tokens.pop(0)
        if token == "|":
            alternatives.append([])
        elif token == _REPEAT:
            repeated = [",", *alternatives[-1][-1][0]]
            alternatives[-1].append([[], repeated])
        elif token in ("[", "{"):
            inside = [text for texts in _alternatives(tokens) for text in texts]
            tokens.pop(0)
            alternatives[-1].append([[], *inside] if token == "[" else inside)
        else:
            alternatives[-1].append([[token]])
    return [_in_order(parts) for parts in alternatives]


def _in_order(parts):
    """Return the parts at their shortest, and with each other text of each part."""
    shortest = [part[0] for part in parts]
    changed = (
        [*shortest[:place], text, *shortest[place + 1 :]]
        for place, part in enumerate(parts)
        for text in part[1:]
    )
    return [list(itertools.chain(*words)) for words in (shortest, *changed)]
