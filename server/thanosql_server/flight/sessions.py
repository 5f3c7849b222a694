"""Session options: one catalog, one schema, the same for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thanosql_proto.flight import (
    CloseSessionRequest,
    CloseSessionResult,
    GetSessionOptionsRequest,
    GetSessionOptionsResult,
    SessionOptionValue,
    SetSessionOptionsRequest,
    SetSessionOptionsResult,
)

if TYPE_CHECKING:
    from thanosql_server.flight.protocol import Engine
    from thanosql_server.flight.service import Service


def _options(engine: Engine) -> dict[str, str]:
    catalog, schema = engine.schemas()[0]
    return {"catalog": catalog, "schema": schema}


def get_session_options(
    service: Service, request: GetSessionOptionsRequest
) -> GetSessionOptionsResult:
    """Return the catalog and schema in which unqualified names are looked up."""
    options = _options(service.engine)
    return GetSessionOptionsResult(
        session_options={
            name: SessionOptionValue(string_value=value)
            for name, value in options.items()
        }
    )


def set_session_options(
    service: Service, request: SetSessionOptionsRequest
) -> SetSessionOptionsResult:
    """Accept the options that change nothing and refuse the others, each by name.

    JDBC and ADBC set the catalog when a connection string has one.
    """
    options = _options(service.engine)
    errors = {
        name: SetSessionOptionsResult.Error(value=error)
        for name, value in request.session_options.items()
        if (error := _refusal(options, name, value))
    }
    return SetSessionOptionsResult(errors=errors)


def _refusal(options: dict[str, str], name: str, value: SessionOptionValue) -> int:
    """Return the error of one option, 0 if it is accepted."""
    if name not in options:
        return SetSessionOptionsResult.INVALID_NAME
    unset = value.WhichOneof("option_value") is None
    if unset or value.string_value == options[name]:
        return 0
    return SetSessionOptionsResult.INVALID_VALUE


def close_session(service: Service, request: CloseSessionRequest) -> CloseSessionResult:
    """Agree: there is nothing to close."""
    return CloseSessionResult(status=CloseSessionResult.CLOSED)
