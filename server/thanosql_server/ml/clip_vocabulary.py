"""The words of a small CLIP: byte-pair merges learned from its captions.

OpenAI's vocabulary has 49,408 entries, 25 MB of weights at a width of 128. A model
trained on a table's captions learns its own (Sennrich et al. 2016, arXiv:1508.07909)
and keeps it beside its weights, in the file format of OpenAI's.
"""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from open_clip.tokenizer import SimpleTokenizer

from thanosql_server.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MERGES = "merges.txt.gz"
MAX_MERGES = 4000
MAX_WORDS = 20_000
"""Words that are counted towards the merges; the rarest beyond them are left out."""

Pair = tuple[str, str]


@lru_cache(maxsize=1)
def openai_tokenizer() -> SimpleTokenizer:
    """Return the tokenizer of OpenAI's CLIP, whose vocabulary open_clip carries."""
    return SimpleTokenizer()


def words(text: str) -> Iterator[str]:
    """Yield the words of a text as the tokenizer splits it, in its byte letters."""
    tokenizer = openai_tokenizer()
    for word in tokenizer.pat.findall(tokenizer.clean_fn(text)):
        yield "".join(tokenizer.byte_encoder[byte] for byte in word.encode("utf-8"))


class WordCounts(Counter[str]):
    """Counts words in bounded memory: now and then the rarest are dropped."""

    def add(self, text: str) -> None:
        """Count the words of one caption."""
        self.update(words(text))
        if len(self) > 10 * MAX_WORDS:
            kept = dict(self.most_common(MAX_WORDS))
            self.clear()
            self.update(kept)


def learn_merges(counts: Mapping[str, int], limit: int = MAX_MERGES) -> list[Pair]:
    """Return the merges, the most frequent pair of pieces first.

    Args:
        counts: how often each word occurs.
        limit: merges at most; pairs seen once make no merge.
    """
    ranked = Counter(counts).most_common(MAX_WORDS)
    pieces = [(*word[:-1], f"{word[-1]}</w>") for word, _ in ranked]
    weights = [weight for _, weight in ranked]
    frequency: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)

    def count(index: int, sign: int) -> None:
        for pair in pairwise(pieces[index]):
            frequency[pair] += sign * weights[index]
            places[pair].add(index)

    for index in range(len(pieces)):
        count(index, 1)
    merges: list[Pair] = []
    while len(merges) < limit and frequency:
        pair = max(frequency, key=lambda one: (frequency[one], one))
        if frequency[pair] < 2:
            break
        merges.append(pair)
        for index in places.pop(pair):
            count(index, -1)
            pieces[index] = merged(pieces[index], pair)
            count(index, 1)
        del frequency[pair]
    return merges


def merged(pieces: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    """Return the pieces of a word with every occurrence of the pair joined."""
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def packed(merges: list[Pair]) -> bytes:
    """Return the merges as a file that open_clip's tokenizer reads."""
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    # Neither a time nor a name in the header: equal merges make equal files.
    return gzip.compress("\n".join(lines).encode("utf-8"), mtime=0)


def read_merges(folder: Path) -> bytes:
    """Return the file of a model's merges as it is.

    Raises:
        InvalidData: it is not there.
    """
    try:
        return (folder / MERGES).read_bytes()
    except OSError as error:
        raise InvalidData(
            "the model's vocabulary is missing; build or get it again"
        ) from error


def tokenizer_of(file: Path | None, context_length: int) -> SimpleTokenizer:
    """Return the tokenizer with these merges, or OpenAI's if there are none."""
    if file is None:
        return SimpleTokenizer(context_length=context_length)
    return SimpleTokenizer(bpe_path=str(file), context_length=context_length)
