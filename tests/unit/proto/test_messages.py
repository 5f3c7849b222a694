import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto
from google.protobuf.descriptor_pool import Default

from thanosql_proto import flight, flight_sql, flight_sql_info, thanosql
from thanosql_proto._pool import POOL

COMPILE = Path(__file__).parents[3] / "proto" / "compile.py"
PEER = "flightsql.flightsql_pb2"
"""The same messages in a distribution that nobody here wrote: flightsql-dbapi."""


@pytest.fixture
def peer():
    return pytest.importorskip(PEER, reason="flightsql-dbapi is not installed")


def fields_of(descriptor):
    copy = DescriptorProto()
    descriptor.CopyToProto(copy)
    return {
        (f.name, f.number, f.type, f.label, f.proto3_optional, f.type_name)
        for f in copy.field
    }


def values_of(descriptor):
    copy = EnumDescriptorProto()
    descriptor.CopyToProto(copy)
    return {(value.name, value.number) for value in copy.value}


def test_field_numbers_agree_with_flightsql_dbapi(peer):
    theirs = peer.DESCRIPTOR.message_types_by_name
    assert len(theirs) > 25
    for name, descriptor in theirs.items():
        ours = getattr(flight_sql, name).DESCRIPTOR
        assert fields_of(descriptor) <= fields_of(ours), name
        for nested, enum in descriptor.enum_types_by_name.items():
            assert values_of(enum) == values_of(ours.enum_types_by_name[nested]), name


def test_enum_numbers_agree_with_flightsql_dbapi(peer):
    theirs = peer.DESCRIPTOR.enum_types_by_name
    assert len(theirs) > 15
    for name, descriptor in theirs.items():
        ours = getattr(flight_sql_info, name).__members__
        assert values_of(descriptor) <= {(n, m.value) for n, m in ours.items()}, name


@pytest.mark.parametrize(
    "order",
    [(PEER, "thanosql_proto.flight_sql"), ("thanosql_proto.flight_sql", PEER)],
    ids=["theirs first", "ours first"],
)
@pytest.mark.usefixtures("peer")
def test_both_packages_work_in_one_process(order):
    script = "; ".join(
        [
            *(f"import {module}" for module in order),
            "from flightsql.flightsql_pb2 import CommandStatementQuery as Theirs",
            "from thanosql_proto.flight_sql import CommandStatementQuery as Ours",
            "wire = Theirs(query='SELECT 1', transaction_id=b'x').SerializeToString()",
            "print(Ours.FromString(wire).query)",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "SELECT 1\n", "")


def test_the_default_pool_stays_untouched():
    assert POOL.FindMessageTypeByName("thanosql.v1.Execute") is not None
    with pytest.raises(KeyError):
        Default().FindMessageTypeByName("thanosql.v1.Execute")


def test_the_generated_files_are_up_to_date():
    pytest.importorskip("grpc_tools", reason="grpcio-tools (protoc) is not installed")
    done = subprocess.run(
        [sys.executable, COMPILE, "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unset_optional_field_differs_from_an_empty_one():
    unset = flight_sql.CommandGetTables()
    empty = flight_sql.CommandGetTables(catalog="")
    assert not flight_sql.CommandGetTables.FromString(
        unset.SerializeToString()
    ).HasField("catalog")
    assert flight_sql.CommandGetTables.FromString(empty.SerializeToString()).HasField(
        "catalog"
    )


def test_session_options_hold_values_of_five_types():
    request = flight.SetSessionOptionsRequest()
    request.session_options["schema"].string_value = "public"
    request.session_options["limit"].int64_value = -1
    kinds = {
        name: value.WhichOneof("option_value")
        for name, value in request.session_options.items()
    }
    assert kinds == {"schema": "string_value", "limit": "int64_value"}


def test_an_event_is_progress_or_the_end():
    event = thanosql.Event(completed=thanosql.Completed(rows_affected=-1))
    event = thanosql.Event.FromString(event.SerializeToString())
    assert event.WhichOneof("kind") == "completed"
    assert event.completed.rows_affected == -1
