"""What DataFusion says about types is read back as those types."""

import pyarrow as pa
import pytest
from datafusion import SessionContext

from thanosql_server.engine.functions import untyped_function
from thanosql_server.engine.signatures import is_text, refusal, vector_type

TYPES = [
    pa.list_(pa.float32(), 2),
    pa.list_(pa.float16(), 2),
    pa.list_(pa.field("x", pa.float64(), nullable=False), 2),
    pa.list_(pa.float64()),
    pa.list_(pa.field("element", pa.float32(), nullable=False)),
    pa.large_list(pa.float32()),
    pa.list_(pa.int8()),
    pa.large_list(pa.uint64()),
]
OTHERS = [
    pa.string(),
    pa.int64(),
    pa.timestamp("us", "UTC"),
    pa.decimal128(10, 2),
    pa.binary(),
    pa.list_(pa.string()),
    pa.list_(pa.list_(pa.float32())),
    pa.struct([pa.field("a", pa.list_(pa.float32())), pa.field("b, c", pa.int64())]),
]


def refused(*types):
    context = SessionContext()
    names = [f"c{n}" for n in range(len(types))]
    columns = [pa.nulls(1, dtype) for dtype in types]
    context.register_record_batches("t", [[pa.record_batch(columns, names)]])
    function = untyped_function("f_1", [True] * len(types), pa.float32())
    context.register_udf(function)
    with pytest.raises(Exception, match="f_1") as caught:
        context.sql(f"SELECT f_1({', '.join(names)}) FROM t").schema()
    return refusal(caught.value)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_types_of_vectors_are_read_back(dtype):
    found = refused(dtype)
    assert found.function == "f_1"
    (given,) = found.given
    read = vector_type(given)
    assert read == dtype
    assert read.value_field == dtype.value_field


@pytest.mark.parametrize("dtype", OTHERS, ids=str)
def test_other_types_are_no_vectors(dtype):
    (given,) = refused(dtype).given
    assert vector_type(given) is None
    assert is_text(given) is (dtype == pa.string())


def test_several_arguments_are_told_apart():
    found = refused(pa.list_(pa.float32(), 2), OTHERS[-1], pa.null())
    assert len(found.given) == 3
    assert vector_type(found.given[0]) == pa.list_(pa.float32(), 2)
    assert found.given[1].startswith("Struct(")
    assert vector_type(found.given[2]) == pa.null()


def test_other_errors_are_no_refusals():
    assert refusal(ValueError("No field named x.")) is None
    assert is_text("LargeUtf8")
    assert is_text("Dictionary(Int32, Utf8)")
    assert not is_text("List(Utf8)")
