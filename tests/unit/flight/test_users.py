"""Users, passwords, API tokens and signed tokens."""

from __future__ import annotations

import time

import pyarrow.flight as fl
import pytest

from tests.unit.flight.client import Client
from thanosql_proto.thanosql import CancelStatement
from thanosql_server.callers import Role
from thanosql_server.config import Config, Limits
from thanosql_server.errors import InvalidValue, Unauthenticated
from thanosql_server.flight import gate as gates
from thanosql_server.flight.bearers import Signer
from thanosql_server.flight.gate import Credentials, Gate
from thanosql_server.flight.passwords import (
    PasswordHash,
    new_api_token,
    token_hash,
)
from thanosql_server.flight.server import FlightSqlServer
from thanosql_server.flight.users import Users

API_TOKEN = new_api_token()


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(gates, "PENALTY_SECONDS", 0.05)


def file(**users):
    lines = []
    for name, (role, password, tokens) in users.items():
        lines.append(f"[users.{name}]\nrole = '{role}'")
        if password:
            lines.append(f"password = '{PasswordHash.of(password)}'")
        lines.append(f"tokens = {[token_hash(token.encode()) for token in tokens]}")
    return "\n".join(lines).encode()


FILE = file(
    ada=("writer", "pass:word ü", []),
    bi=("reader", "", [API_TOKEN]),
    root=("admin", "secret", []),
)


@pytest.fixture
def config(tmp_path):
    return Config(tmp_path, users=FILE)


def test_a_password_is_kept_as_a_hash_with_a_salt():
    one, other = PasswordHash.of("secret"), PasswordHash.of("secret")
    assert one.key != other.key
    assert "secret" not in str(one)
    again = PasswordHash.parse(str(one))
    assert again == one
    assert again.matches("secret")
    assert not again.matches("Secret")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "scrypt$1$2$3",
        "scrypt$16384$8$1$!$!",
        "scrypt$16384$8$1$AAAA$AAAA",
        "bcrypt$16384$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$1073741824$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$-1$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_what_is_no_hash_is_refused(text):
    with pytest.raises(InvalidValue, match="must be kept as a hash"):
        PasswordHash.parse(text)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[users", "the file of users is not TOML"),
        (b"\xff", "the file of users is not TOML"),
        (b"", "has no [users.NAME]"),
        (b"users = 1", "has no [users.NAME]"),
        (b"[user.ada]", "unknown name 'user'; did you mean 'users'?"),
        (b"[users.ada]", "user 'ada': role must be one of reader, writer, admin, not"),
        (b"[users]\nada = 1", "user 'ada' must be a table"),
        (b"[users.ada]\nrole='Admin'", "role must be one of"),
        (b"[users.ada]\nrole='admin'", "has neither a password nor tokens"),
        (b"[users.ada]\nrole='admin'\npasword='x'", "did you mean 'password'?"),
        (b"[users.ada]\nrole='admin'\npassword='x'", "user 'ada': a password must be"),
        (b"[users.ada]\nrole='admin'\npassword=1", "user 'ada': a password must be"),
        (b"[users.ada]\nrole='admin'\ntokens='x'", "tokens must be a list of hashes"),
        (b"[users.ada]\nrole='admin'\ntokens=['x']", "tokens must be a list"),
        (b"[users.'a:b']\nrole='admin'", "no colon"),
    ],
)
def test_a_wrong_file_is_named_without_its_secrets(content, sentence):
    with pytest.raises(InvalidValue) as caught:
        Users(content)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("credentials", "user", "role"),
    [
        (Credentials(None, "ada", "pass:word ü"), "ada", Role.WRITER),
        (Credentials(None, "root", "secret"), "root", Role.ADMIN),
        (Credentials(API_TOKEN.encode()), "bi", Role.READER),
        (Credentials(None, "bi", API_TOKEN), "bi", Role.READER),
        (Credentials(None, "me", API_TOKEN), "bi", Role.READER),
    ],
)
def test_whoever_proves_it_is_a_user(config, credentials, user, role):
    gate = Gate(config)
    for _ in range(2):
        caller, renewed = gate.admit(credentials)
        assert (caller.user, caller.role, caller.session) == (user, role, "")
        assert renewed is None
    signed = Credentials(gate.open_session(credentials))
    caller, renewed = gate.admit(signed)
    assert (caller.user, caller.role) == (user, role)
    assert len(caller.session) >= 16
    assert renewed is None


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(None, "ada", "secret"),
        Credentials(None, "ada", ""),
        Credentials(None, "Ada", "pass:word ü"),
        Credentials(None, "nobody", "secret"),
        Credentials(None, "", ""),
        Credentials(None, "bi", ""),
        Credentials(None, "ada", API_TOKEN),  # the token of somebody else
        Credentials(None, "ada", "\udcff"),
        Credentials(token_hash(API_TOKEN.encode()).encode()),
        Credentials(b"secret"),
    ],
)
def test_whoever_does_not_prove_it_waits_and_stays_out(config, credentials):
    began = time.monotonic()
    with pytest.raises(Unauthenticated) as caught:
        Gate(config).admit(credentials)
    assert time.monotonic() - began >= 0.05
    assert "the user's name, the password or the token is wrong" in str(caught.value)


def test_an_unknown_user_costs_as_much_time_as_a_known_one(config):
    gate = Gate(config)

    def cost(user):
        began = time.thread_time()
        with pytest.raises(Unauthenticated):
            gate.admit(Credentials(None, user, "wrong"))
        return time.thread_time() - began

    known = min(cost("ada") for _ in range(5))
    unknown = min(cost("nobody") for _ in range(5))
    without = min(cost("bi") for _ in range(5))
    assert 0.5 < unknown / known < 2
    assert 0.5 < without / known < 2
    assert known > 0.005


def test_the_one_token_goes_on_being_an_admins(tmp_path):
    gate = Gate(Config(tmp_path, users=FILE, token="one"))
    for credentials, user in (
        (Credentials(b"one"), "admin"),
        (Credentials(None, "me", "one"), "me"),
    ):
        caller, _ = gate.admit(credentials)
        assert (caller.user, caller.role) == (user, Role.ADMIN)
    # A user of the file who signs in with the one token is an admin all the same.
    signed = gate.open_session(Credentials(None, "bi", "one"))
    assert gate.admit(Credentials(signed))[0].role is Role.ADMIN


@pytest.mark.parametrize(
    "users",
    [
        file(root=("admin", "secret", [])),
        file(ada=("writer", "another", [])),
    ],
)
def test_a_signed_token_ends_with_its_secret(config, tmp_path, users):
    gate = Gate(config)
    signed = Credentials(gate.open_session(Credentials(None, "ada", "pass:word ü")))
    gate.admit(signed)
    with pytest.raises(Unauthenticated, match="no longer known"):
        Gate(Config(tmp_path, users=users)).admit(signed)


def test_a_signed_token_has_the_role_that_its_user_has_now(tmp_path):
    kept = PasswordHash.of("x")
    users = "[users.ada]\nrole = '{}'\npassword = '{}'"
    before = Gate(Config(tmp_path, users=users.format("admin", kept).encode()))
    signed = Credentials(before.open_session(Credentials(None, "ada", "x")))
    after = Gate(Config(tmp_path, users=users.format("reader", kept).encode()))
    assert after.admit(signed)[0].role is Role.READER


@pytest.mark.parametrize("place", range(0, 150, 7))
def test_a_signed_token_cannot_be_changed(config, place):
    gate = Gate(config)
    signed = bytearray(gate.open_session(Credentials(None, "ada", "pass:word ü")))
    place %= len(signed)
    signed[place] ^= 1
    with pytest.raises(Unauthenticated):
        gate.admit(Credentials(bytes(signed)))


def test_a_signed_token_ends_and_is_renewed_before(tmp_path):
    limits = Limits(token_lifetime=0.4)
    gate = Gate(Config(tmp_path, users=FILE, limits=limits))
    first = gate.open_session(Credentials(None, "root", "secret"))
    session = gate.admit(Credentials(first))[0].session
    time.sleep(0.25)
    caller, second = gate.admit(Credentials(first))
    assert second != first
    assert caller.session == session
    time.sleep(0.2)
    with pytest.raises(Unauthenticated, match="has expired; connect again"):
        gate.admit(Credentials(first))
    assert gate.admit(Credentials(second))[0] == caller


def test_a_key_of_ones_own_signs(tmp_path):
    keys = [b"k" * 32, b"k" * 32, b"x" * 32]
    one, same, other = (
        Gate(Config(tmp_path / str(n), users=FILE, signing_key=key))
        for n, key in enumerate(keys)
    )
    signed = Credentials(one.open_session(Credentials(None, "root", "secret")))
    assert same.admit(signed)[0].user == "root"
    with pytest.raises(Unauthenticated, match="not signed by a server"):
        other.admit(signed)
    assert not (tmp_path / "0").exists()


def test_without_a_folder_to_write_the_key_is_this_processes_own(tmp_path, caplog):
    (tmp_path / "file").touch()
    signer = Signer(None, tmp_path / "file" / "key", 60)
    token = signer.issue("ada", "secret")
    assert signer.read(token).user == "ada"
    assert "signed tokens end with this process" in caplog.text


def test_a_key_that_is_too_short_is_not_used(tmp_path, caplog):
    (tmp_path / "key").write_bytes(b"short")
    signer = Signer(None, tmp_path / "key", 60)
    assert signer.read(signer.issue("ada", "secret")).user == "ada"
    assert "signed tokens end with this process" in caplog.text


def test_only_admins_cancel_the_statements_of_others(config, engine):
    with FlightSqlServer(engine, config) as server, Client(server.location) as client:
        tokens = {"bi": API_TOKEN}
        for user, password in (("root", "secret"), ("ada", "pass:word ü")):
            _, header = client.flight.authenticate_basic_token(user, password)
            tokens[user] = header.decode().removeprefix("Bearer ")
        cancel = CancelStatement(statement_id="of-bi")
        with (
            Client(server.location, tokens["bi"]) as bi,
            Client(server.location, tokens["ada"]) as ada,
            Client(server.location, tokens["root"]) as root,
        ):
            reader = bi.stream("COUNT ROWS 3000", statement_id="of-bi")
            reader.read_chunk()
            error, trailers = ada.failure(lambda: ada.act("CancelStatement", cancel))
            assert isinstance(error, fl.FlightUnauthorizedError)
            assert trailers["x-thanosql-sqlstate"] == ["42501"]
            assert root.act("CancelStatement", cancel).found
            assert engine.stopped.wait(30)
            with pytest.raises((fl.FlightCancelledError, KeyboardInterrupt)):
                reader.read_all()
