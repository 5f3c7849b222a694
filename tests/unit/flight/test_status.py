import re
import traceback

import pyarrow as pa
import pyarrow.flight as fl
import pytest

from tests.unit.flight.client import Client
from tests.unit.flight.tiny_engine import FAULTS
from thanosql_proto.flight_sql import (
    CommandStatementQuery,
    CommandStatementUpdate,
)
from thanosql_server import errors
from thanosql_server.config import Config
from thanosql_server.flight.server import FlightSqlServer
from thanosql_server.flight.status import MAX_MESSAGE, to_status

# What pyarrow's client raises for each gRPC code.
INVALID_ARGUMENT, NOT_FOUND = pa.ArrowInvalid, pa.ArrowKeyError
CANCELLED = (fl.FlightCancelledError, KeyboardInterrupt)
RAISED = {
    "ThanoSQLError": fl.FlightInternalError,
    "SyntaxError_": INVALID_ARGUMENT,
    "InvalidStatement": INVALID_ARGUMENT,
    "UndefinedTable": NOT_FOUND,
    "UndefinedColumn": INVALID_ARGUMENT,
    "UndefinedObject": NOT_FOUND,
    "UndefinedFile": NOT_FOUND,
    "DuplicateObject": INVALID_ARGUMENT,
    "InvalidValue": INVALID_ARGUMENT,
    "InvalidData": INVALID_ARGUMENT,
    "NotNullViolation": INVALID_ARGUMENT,
    "UndefinedKey": INVALID_ARGUMENT,
    "DependentObjects": INVALID_ARGUMENT,
    "GeneratedAlways": INVALID_ARGUMENT,
    "RowMatchedTwice": INVALID_ARGUMENT,
    "PermissionDenied": fl.FlightUnauthorizedError,
    "Unauthenticated": fl.FlightUnauthenticatedError,
    "NotSupported": pa.ArrowNotImplementedError,
    "Cancelled": CANCELLED,
    "Conflict": fl.FlightUnavailableError,
    "ResourceExhausted": fl.FlightUnavailableError,
    "OutOfMemory": fl.FlightUnavailableError,
    "TempSpaceExceeded": fl.FlightUnavailableError,
    "ResultTooLarge": INVALID_ARGUMENT,
    "TooManyStatements": fl.FlightUnavailableError,
    "StatementTooComplex": INVALID_ARGUMENT,
    "StorageFault": fl.FlightUnavailableError,
    "DamagedTable": fl.FlightInternalError,
    "ShuttingDown": fl.FlightUnavailableError,
    "SessionEnded": fl.FlightUnavailableError,
    "HubUnreachable": fl.FlightServerError,
    "InternalError": fl.FlightInternalError,
}

LEAKS = re.compile(r'Traceback|File "|\.py|/\w|\.pyx')


def calls(client, sql):
    """The ways in which a statement reaches the engine."""
    yield lambda: client.query(sql)
    yield lambda: client.schema(CommandStatementQuery(query=sql))
    yield lambda: client.execute(sql)
    yield lambda: client.update(CommandStatementUpdate(query=sql))


def test_every_error_class_has_its_code():
    classes = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ThanoSQLError)
    }
    assert classes == set(RAISED)


@pytest.mark.parametrize("when", ["NOW", "LATER"])
@pytest.mark.parametrize("kind", RAISED)
def test_error_keeps_text_code_and_sqlstate_and_leaks_nothing(client, kind, when):
    error, trailers = client.failure(lambda: client.execute(f"FAIL {when} {kind}"))
    assert isinstance(error, RAISED[kind])
    assert trailers["x-thanosql-sqlstate"] == [getattr(errors, kind).sqlstate]
    if not isinstance(error, KeyboardInterrupt):
        assert str(error).startswith(f"a {kind} for you. Detail: ")
    assert not LEAKS.search(str(error))
    assert not LEAKS.search(str(trailers))


@pytest.mark.parametrize("when", ["NOW", "LATER"])
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_of_ours_becomes_an_id_of_the_log(client, fault, when, caplog):
    error, trailers = client.failure(lambda: client.execute(f"FAIL {when} {fault}"))
    assert isinstance(error, fl.FlightInternalError)
    log_id = re.match(r"internal error; the .* under id (\w{8})\.", str(error))[1]
    assert trailers["x-thanosql-sqlstate"] == ["XX000"]
    assert not LEAKS.search(str(error) + str(trailers))
    record = next(r for r in caplog.records if log_id in r.getMessage())
    assert record.exc_info[2] is not None


@pytest.mark.parametrize("way", range(4))
@pytest.mark.parametrize("kind", ["UndefinedTable", "PermissionDenied", "zero"])
def test_no_way_in_leaks_anything(client, kind, way):
    call = list(calls(client, f"FAIL NOW {kind}"))[way]
    error, trailers = client.failure(call)
    assert not LEAKS.search(str(error) + str(trailers))
    assert trailers["x-thanosql-sqlstate"]


def test_position_travels_in_text_and_trailer(client):
    error, trailers = client.failure(lambda: client.execute("what\nis this"))
    assert "found 'what\nis this' (line 2, column 8). Detail: " in str(error)
    assert trailers["x-thanosql-position"] == ["2,8"]


def test_long_message_is_cut_and_keeps_its_position():
    where = errors.Position(3, 4)
    status = to_status(errors.InvalidValue("é" * 50_000, position=where))
    assert len(str(status)) == MAX_MESSAGE + len(" (line 3, column 4)")
    assert str(status).endswith("éé… (line 3, column 4)")


def test_long_message_reaches_the_client(client):
    error, trailers = client.failure(lambda: client.execute("é" * 50_000))
    assert isinstance(error, pa.ArrowInvalid)
    assert trailers["x-thanosql-sqlstate"] == ["42601"]


def test_nul_does_not_end_the_message():
    assert str(to_status(errors.InvalidValue("a\0b"))) == "a\\0b"


def test_status_is_not_translated_twice():
    status = to_status(errors.UndefinedTable("there is no table 't'"))
    assert to_status(status) is status
    assert str(status) == "there is no table 't'"


def test_traceback_module_still_serves_everybody_else(server):
    try:
        raise ValueError("mine")
    except ValueError as error:
        text = "".join(traceback.format_exception(error))
        assert text == traceback.format_exc()
    assert "Traceback" in text
    assert "test_status.py" in text


class Broken(FlightSqlServer):
    """Fails where no border is."""

    def list_flights(self, context, criteria):
        raise OSError("/srv/secret")

    def get_schema(self, context, descriptor):
        return None  # pyarrow itself raises TypeError


@pytest.mark.parametrize(
    "call",
    [
        lambda flight: list(flight.list_flights()),
        lambda flight: flight.get_schema(fl.FlightDescriptor.for_command(b"")),
    ],
)
def test_error_outside_of_every_border_has_no_traceback(engine, tmp_path, call):
    with Broken(engine, Config(tmp_path)) as server, Client(server.location) as client:
        error, _ = client.failure(lambda: call(client.flight))
    assert not re.search(r'Traceback|File "|\.pyx?', str(error))
