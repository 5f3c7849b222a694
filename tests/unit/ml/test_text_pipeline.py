import numpy as np
import pytest

from thanosql_server.control import Control
from thanosql_server.errors import Cancelled
from thanosql_server.ml.text_pipeline import EmptyTexts, embed_texts


class Letters:
    """A small real text encoder: unit vectors of how often each letter occurs."""

    family, base, dim, decode_side = "Letters", "letters", 26, 0
    media = frozenset({"text"})

    def __init__(self):
        self.asked = []

    def encode_texts(self, texts):
        self.asked.append(list(texts))
        counts = np.array(
            [[text.count(chr(97 + n)) for n in range(26)] for text in texts], "f4"
        )
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def embedded(texts, encoder=None, **options):
    empty, control = EmptyTexts(), Control()
    parts = list(embed_texts(texts, encoder or Letters(), control, empty, **options))
    return parts, empty, control


def test_each_text_has_its_embedding_in_order():
    texts = [f"{chr(97 + n % 26)}{'z' * (n % 3)}" for n in range(50)]
    parts, _, _ = embedded(texts, batch_size=8)
    assert [len(part) for part in parts] == [8] * 6 + [2]
    rows = [row for part in parts for row in part.to_pylist()]
    for text, row in zip(texts, rows, strict=True):
        np.testing.assert_allclose(row, Letters().encode_texts([text])[0])


def test_null_and_empty_texts_have_no_embedding():
    (part,), empty, control = embedded(["a", None, "", " \t", "b"])
    assert [row is None for row in part.to_pylist()] == [False, True, True, True, False]
    assert (empty.seen, empty.count) == (4, 2)
    empty.warn(control, "have no embedding")
    assert list(control.warnings) == ["2 of 4 texts are empty and have no embedding"]


def test_without_empty_texts_there_is_no_warning():
    _, empty, control = embedded(["a", None])
    empty.warn(control, "have no embedding")
    assert not control.warnings


def test_a_batch_of_no_words_needs_no_encoder():
    (part,), _, _ = embedded([None, ""], encoder=object.__new__(OnlyDim))
    assert part.null_count == 2


class OnlyDim:
    dim = 3


def test_equal_texts_of_a_batch_are_encoded_once():
    encoder = Letters()
    (part,), _, _ = embedded(["a", "b", "a", None, "a"], encoder)
    assert encoder.asked == [["a", "b"]]
    assert part[0] == part[2] == part[4]


def test_texts_are_taken_as_they_are_needed():
    taken = []
    texts = (taken.append(n) or "a" for n in range(1000))
    parts = embed_texts(texts, Letters(), Control(), EmptyTexts(), batch_size=10)
    next(parts)
    assert len(taken) == 10


def test_a_cancel_stops_between_batches():
    control = Control()
    parts = embed_texts(["a"] * 4, Letters(), control, EmptyTexts(), batch_size=2)
    next(parts)
    control.cancel()
    with pytest.raises(Cancelled):
        next(parts)
