import inspect

import pytest
from pyarrow import flight, lib

import thanosql
from tests.unit.driver.tiny_server import REFUSALS
from thanosql import transport
from thanosql.errors import error_class

EXPECTED = {
    "syntax": (thanosql.ProgrammingError, "42601", (2, 17)),
    "table": (thanosql.ProgrammingError, "42P01", (1, 15)),
    "data": (thanosql.DataError, "22000", None),
    "korean": (thanosql.DataError, "22000", None),
    "unsupported": (thanosql.NotSupportedError, "0A000", None),
    "rights": (thanosql.ProgrammingError, "42501", None),
    "conflict": (thanosql.OperationalError, "40001", None),
    "hub": (thanosql.OperationalError, "HV00N", (1, 20)),
    "resources": (thanosql.OperationalError, "53000", None),
    "internal": (thanosql.InternalError, "XX000", None),
    "cancelled": (thanosql.OperationalError, "57014", None),
    "codeless": (thanosql.ProgrammingError, None, None),
    "codeless missing": (thanosql.ProgrammingError, None, None),
    "unknown": (thanosql.OperationalError, None, None),
}


@pytest.mark.parametrize("key", REFUSALS)
def test_a_refusal_keeps_its_sentence_class_code_and_position(cursor, key):
    kind, sqlstate, position = EXPECTED[key]
    with pytest.raises(thanosql.Error) as caught:
        cursor.execute(f"FAIL: {key}")
    assert type(caught.value) is kind
    assert str(caught.value) == str(REFUSALS[key][0])
    assert (caught.value.sqlstate, caught.value.position) == (sqlstate, position)


@pytest.mark.parametrize("key", ["syntax", "table", "internal", "cancelled", "unknown"])
def test_a_refusal_in_mid_stream_is_the_same(cursor, key):
    kind, sqlstate, position = EXPECTED[key]
    cursor.execute(f"FAIL LATER: {key}")
    assert cursor.fetchone() == (1, "a")
    with pytest.raises(kind) as caught:
        cursor.fetchall()
    assert str(caught.value) == str(REFUSALS[key][0])
    assert (caught.value.sqlstate, caught.value.position) == (sqlstate, position)
    assert cursor.rowcount == -1


def test_every_flight_error_has_a_class_of_its_own_or_its_base():
    flight_errors = {
        item
        for item in vars(flight).values()
        if inspect.isclass(item) and issubclass(item, flight.FlightError)
    }
    assert len(flight_errors) > 6
    listed = {kind for kind, _, _ in transport._BY_KIND}
    # "Something failed": there is nothing to say about it that the base does not.
    assert flight_errors - listed == {flight.FlightServerError}


@pytest.mark.parametrize(
    "code", ["42601", "42P01", "42703", "42704", "42P07", "42501", "3F000"]
)
def test_mistakes_in_the_statement_are_programming_errors(code):
    assert error_class(code) is thanosql.ProgrammingError


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("0A000", thanosql.NotSupportedError),
        ("22023", thanosql.DataError),
        ("23505", thanosql.IntegrityError),
        ("28000", thanosql.OperationalError),
        ("57014", thanosql.OperationalError),
        ("58P01", thanosql.ProgrammingError),
        ("XX000", thanosql.InternalError),
        ("99999", thanosql.DatabaseError),
    ],
)
def test_the_class_of_a_sqlstate_decides(code, kind):
    assert error_class(code) is kind


@pytest.mark.parametrize(
    "text",
    [
        "Flight returned invalid argument error, with message: no table 't'",
        "no table 't'. Detail: Python exception: Traceback (most recent call):\n F",
        "no table 't'. gRPC client debug context: UNKNOWN:Error received. Client con",
        "Flight returned not found error, with message: no table 't'. Detail: Failed. "
        'gRPC client debug context: {grpc_message:"x"}. Client context: OK',
    ],
)
def test_what_arrow_adds_to_a_text_is_removed(text):
    assert transport.clean_message(text) == "no table 't'"


def test_no_arrow_error_escapes_as_the_context(cursor):
    with pytest.raises(thanosql.Error) as caught:
        cursor.execute("FAIL: syntax")
    assert caught.value.__suppress_context__
    assert not isinstance(caught.value, lib.ArrowException)
