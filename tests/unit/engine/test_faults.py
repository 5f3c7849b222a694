"""Faults of our own code below DataFusion stay in the server's log."""

from __future__ import annotations

import logging

import pyarrow as pa
import pyarrow.dataset as pads
import pytest
from datafusion import SessionContext

from thanosql_server.engine.faults import translate
from thanosql_server.errors import InternalError


class Broken(pads.Dataset):
    """A table whose scan has a fault."""

    def __new__(cls):
        return pads.Dataset.__new__(cls)

    @property
    def schema(self):
        return pa.schema([("x", pa.int64())])

    def get_fragments(self, filter=None):
        raise RuntimeError("a fault of ours")


def test_a_traceback_goes_to_the_log_alone(caplog):
    context = SessionContext()
    context.register_dataset("t", Broken())
    with pytest.raises(Exception, match="a fault of ours") as caught:
        context.sql("SELECT x FROM t").collect()
    assert __file__ in str(caught.value)  # the path of the file with the fault
    with caplog.at_level(logging.ERROR):
        error = translate(caught.value, "SELECT x FROM t")
    assert type(error) is InternalError
    assert error.message.startswith("internal error; the server's log has it under id")
    assert error.message.rpartition(" ")[2] in caplog.text
    assert "a fault of ours" in caplog.text
