from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from thanosql_server.errors import InvalidValue, Position, UndefinedObject
from thanosql_server.ml import clip_vocabulary
from thanosql_server.ml.clip_options import ClipOptions
from thanosql_server.ml.clip_vocabulary import (
    WordCounts,
    learn_merges,
    merged,
    packed,
    tokenizer_of,
    words,
)
from thanosql_server.sql.options import Options


def slow_merges(counts, limit):
    """The algorithm of the paper, counting everything anew each time."""
    pieces = {word: (*word[:-1], f"{word[-1]}</w>") for word in counts}
    merges = []
    while len(merges) < limit:
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[best] < 2:
            break
        merges.append(best)
        pieces = {word: merged(parts, best) for word, parts in pieces.items()}
    return merges


def test_merges_are_those_of_the_paper():
    rng = np.random.default_rng(5)
    letters = rng.choice(list("abc"), (200, 6))
    counts = Counter("".join(row[: 1 + row.size // 2]) for row in letters)
    counts += Counter({"aaaa": 9, "ababab": 7, "a": 50})
    for limit in (3, 40, 1000):
        assert learn_merges(counts, limit) == slow_merges(counts, limit)


def test_known_words_become_one_token_and_others_keep_their_letters(tmp_path):
    counts = WordCounts()
    for caption in ["A red circle above a blue square", "a red square", "blue circle"]:
        counts.add(caption)
    (tmp_path / "m.gz").write_bytes(packed(learn_merges(counts)))
    tokenizer = tokenizer_of(tmp_path / "m.gz", 16)
    assert len(tokenizer.encode("a red CIRCLE")) == 3
    assert len(tokenizer.encode("zwölf")) == 6
    assert tokenizer.decode(tokenizer.encode("a red zwölf")) == "a red zwölf "
    tokens = tokenizer(["red " * 40])[0]
    assert tokens.shape == (16,)
    assert (tokens[0], tokens[-1]) == (tokenizer.sot_token_id, tokenizer.eot_token_id)
    assert (
        tokens.max() == tokenizer.eot_token_id == 2 * 256 + len(tokenizer.bpe_ranks) + 1
    )


def test_no_merges_are_a_vocabulary_too(tmp_path):
    (tmp_path / "m.gz").write_bytes(packed([]))
    tokenizer = tokenizer_of(tmp_path / "m.gz", 16)
    assert tokenizer.vocab_size == 514
    assert len(tokenizer.encode("cat")) == 3


def test_words_are_those_that_the_tokenizer_sees():
    assert list(words("It's  2 CATS&amp;dogs")) == [
        "it",
        "'s",
        "2",
        "cats",
        "&",
        "dogs",
    ]


def test_words_are_counted_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(clip_vocabulary, "MAX_WORDS", 5)
    counts = WordCounts()
    for first in "abcdefghij":
        for second in "abcdefghij":
            counts.add(f"often {first}x{second}")
    assert len(counts) <= 51
    assert counts["often"] == 100


def parse(**values):
    places = {name: Position(1, 1 + index) for index, name in enumerate(values)}
    return ClipOptions.parse(Options(values, places))


def test_no_options_give_the_defaults():
    assert parse() == ClipOptions()


def test_every_option_can_be_written():
    written = {
        "image_col": "p",
        "text_col": "t",
        "max_epochs": 3,
        "batch_size": 64,
        "learning_rate": 0.1,
        "image_size": 96,
        "seed": 7,
        "init": "m",
        "overwrite": True,
    }
    assert parse(**written) == ClipOptions(**written)


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(UndefinedObject, match=r"'text_column'.*mean 'text_col'"):
        parse(text_column="a")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_epochs", 0),
        ("batch_size", 1),
        ("learning_rate", "fast"),
        ("learning_rate", -1),
        ("image_size", 50),
        ("image_size", 16),
        ("image_size", "big"),
        ("seed", -1),
        ("text_col", 3),
        ("overwrite", "yes"),
    ],
)
def test_a_wrong_value_is_quoted_with_its_place(name, value):
    with pytest.raises(InvalidValue, match=f"option '{name}' must be .*{value}") as e:
        parse(**{name: value})
    assert e.value.position == Position(1, 1)


def test_the_callers_own_fields_are_no_options():
    with pytest.raises(UndefinedObject, match="init_folder"):
        parse(init_folder="/etc")
