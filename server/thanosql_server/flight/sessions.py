"""Session options on the wire: catalog and schema, and every setting by its name."""

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
from thanosql_server.errors import InvalidValue
from thanosql_server.settings import SETTINGS

if TYPE_CHECKING:
    from thanosql_server.flight.protocol import Engine
    from thanosql_server.flight.service import Service
    from thanosql_server.settings import Settings, SettingValue


def _fixed(engine: Engine) -> dict[str, str]:
    """Return the options that cannot be changed: there is one catalog, one schema."""
    catalog, schema = engine.schemas()[0]
    return {"catalog": catalog, "schema": schema}


def get_session_options(
    service: Service, request: GetSessionOptionsRequest
) -> GetSessionOptionsResult:
    """Return where unqualified names are looked up, and the settings."""
    settings = service.control().settings
    values: dict[str, SettingValue] = {name: settings[name] for name in SETTINGS}
    options = {**_fixed(service.engine), **values}
    return GetSessionOptionsResult(
        session_options={name: _option(value) for name, value in options.items()}
    )


def _option(value: SettingValue) -> SessionOptionValue:
    if isinstance(value, bool):
        return SessionOptionValue(bool_value=value)
    if isinstance(value, int):
        return SessionOptionValue(int64_value=value)
    if isinstance(value, float):
        return SessionOptionValue(double_value=value)
    return SessionOptionValue(string_value=value)


def set_session_options(
    service: Service, request: SetSessionOptionsRequest
) -> SetSessionOptionsResult:
    """Set what can be set and refuse the others, each by its name.

    JDBC and ADBC set the catalog when a connection string has one. A value that is
    not set means the default.
    """
    fixed, settings = _fixed(service.engine), service.control().settings
    errors = {}
    for name, option in request.session_options.items():
        value = _value(option)
        if name in fixed:
            error = _refusal(value, fixed[name])
        else:
            error = _set(settings, name, value)
        if error:
            errors[name] = SetSessionOptionsResult.Error(value=error)
    return SetSessionOptionsResult(errors=errors)


def _value(option: SessionOptionValue) -> SettingValue | None:
    """Return the value of an option, None if it is unset or a list."""
    kind = option.WhichOneof("option_value")
    if kind is None:
        return None
    value = getattr(option, kind)
    return value if isinstance(value, (str, bool, int, float)) else ""


def _refusal(value: SettingValue | None, fixed: str) -> int:
    """Return the error of an option that cannot be changed, 0 if it need not be."""
    if value is None or value == fixed:
        return 0
    return SetSessionOptionsResult.INVALID_VALUE


def _set(settings: Settings, name: str, value: SettingValue | None) -> int:
    """Set an option; return its error, 0 if there is none."""
    if name not in SETTINGS:
        return SetSessionOptionsResult.INVALID_NAME
    if value is None:
        settings.reset(name)
        return 0
    if isinstance(SETTINGS[name].default, float) and type(value) is int:
        value = float(value)
    try:
        settings.set(name, value)
    except InvalidValue:
        return SetSessionOptionsResult.INVALID_VALUE
    return 0


def close_session(service: Service, request: CloseSessionRequest) -> CloseSessionResult:
    """End the session: what it has set is forgotten."""
    service.sessions.close(service.caller)
    return CloseSessionResult(status=CloseSessionResult.CLOSED)
