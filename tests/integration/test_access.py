"""Users and roles, signed tokens and certificates, with real servers and drivers."""

from __future__ import annotations

import io
import shutil
import stat
import subprocess

import pytest
import sqlalchemy

import thanosql
from thanosql_server import access, app
from thanosql_server.flight.passwords import (
    PasswordHash,
    is_token_hash,
    new_api_token,
    token_hash,
)

API_TOKEN = new_api_token()
PASSWORDS = {"ada": "wörd:1", "root": "secret"}


def fetch(connection, sql):
    with connection.cursor() as cursor:
        return cursor.execute(sql).fetchall()


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    file = tmp_path_factory.mktemp("users") / "users.toml"
    file.write_text(
        f"""
        [users.root]
        role = "admin"
        password = "{PasswordHash.of(PASSWORDS["root"])}"

        [users.ada]
        role = "writer"
        password = "{PasswordHash.of(PASSWORDS["ada"])}"

        [users.bi]
        role = "reader"
        tokens = ["{token_hash(API_TOKEN.encode())}"]
        """,
        "utf-8",
    )
    return file


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "data.csv").write_text("a\n1\n2\n")
    return folder


def test_users_do_what_their_roles_allow(fork_server, workspace, users):
    server = fork_server(workspace, "--users", users)
    assert "token: " not in server.output
    with (
        server.connect(user="ada", password=PASSWORDS["ada"]) as writer,
        server.connect(token=API_TOKEN) as reader,
        server.connect(user="root", password=PASSWORDS["root"]) as admin,
    ):
        writer.cursor().execute("COPY t FROM 'data.csv'")
        writer.cursor().execute("INSERT INTO t VALUES (3)")
        assert fetch(reader, "SELECT sum(a) FROM t") == [(6,)]
        assert fetch(reader, "EXPLAIN SELECT a FROM t")
        assert fetch(reader, "SHOW TABLES")
        for sql in (
            "INSERT INTO t VALUES (4)",
            "DELETE FROM t",
            "COPY u FROM 'data.csv'",
            "CREATE TABLE u AS SELECT 1 AS a",
            "DROP TABLE t",
        ):
            with pytest.raises(thanosql.ProgrammingError) as caught:
                reader.cursor().execute(sql)
            assert caught.value.sqlstate == "42501"
            assert str(caught.value) == (
                "user 'bi' is a reader; this statement needs the role writer"
            )
        with pytest.raises(thanosql.ProgrammingError, match="needs the role writer"):
            reader.cursor().executemany("INSERT INTO t VALUES (?)", [[4], [5]])
        assert fetch(reader, "SELECT count(*) FROM t") == [(3,)]
        everybody = {
            row[0] for row in fetch(admin, "SELECT user FROM thanosql.statements")
        }
        assert everybody == {"ada", "bi", "root"}
        own = {row[0] for row in fetch(reader, "SELECT user FROM thanosql.statements")}
        assert own == {"bi"}


def test_whoever_is_no_user_stays_out(fork_server, workspace, users):
    server = fork_server(workspace, "--users", users)
    for credentials in (
        {"token": API_TOKEN[:-1]},
        {"token": "thqs.x.y"},
        {"user": "ada", "password": "word:1", "token": None},
        {"user": "nobody", "password": PASSWORDS["ada"], "token": None},
        {"user": "ada", "password": API_TOKEN, "token": None},
        {"token": None},
    ):
        with pytest.raises(thanosql.OperationalError) as caught:
            server.connect(**credentials)
        assert caught.value.sqlstate == "28000"
        for secret in (API_TOKEN, *PASSWORDS.values()):
            assert secret not in str(caught.value)
    assert "scrypt" not in server.output
    assert API_TOKEN not in server.output


def test_a_session_goes_on_at_another_server(fork_server, workspace, users):
    """As behind a load balancer: the token of one server opens the other."""
    one, other = (fork_server(workspace, "--users", users) for _ in range(2))
    with one.connect(user="ada", password=PASSWORDS["ada"]) as connection:
        signed = connection._transport._calls.authorization.decode()
    token = signed.removeprefix("Bearer ")
    with other.connect(token=token) as connection:
        connection.cursor().execute("CREATE TABLE t AS SELECT 1 AS a")
        [(user,)] = fetch(connection, "SELECT DISTINCT user FROM thanosql.statements")
    assert user == "ada"
    key = workspace / ".thanosql" / "signing.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_long_connection_gets_new_tokens(fork_server, workspace, users):
    server = fork_server(workspace, "--users", users, "--token-lifetime", "2")
    with server.connect(user="ada", password=PASSWORDS["ada"]) as connection:
        first = connection._transport._calls.authorization
        for _ in range(8):
            assert fetch(connection, "SELECT 1") == [(1,)]
            subprocess.run(["sleep", "0.5"], check=True)
        assert connection._transport._calls.authorization != first
    with pytest.raises(thanosql.OperationalError, match="has expired; connect again"):
        server.connect(token=first.decode().removeprefix("Bearer "))


def test_sqlalchemy_signs_in(fork_server, workspace, users):
    server = fork_server(workspace, "--users", users)
    place = server.location.removeprefix("grpc://")
    url = sqlalchemy.engine.URL.create(
        "thanosql",
        "ada",
        PASSWORDS["ada"],
        place.partition(":")[0],
        int(place.rpartition(":")[2]),
    )
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1
    engine.dispose()


# ---- Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A server's certificate, and two clients', of which our authority signed one."""
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not here to make certificates")
    folder = tmp_path_factory.mktemp("certificates")
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")

    def make(name, authority=None):
        subject = f"-nodes -days 2 -newkey rsa:2048 -subj /CN={name}"
        key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
        if authority is None:
            openssl(f"req -x509 {subject} -keyout {key} -out {certificate}")
            return
        request = folder / f"{name}.csr"
        openssl(f"req {subject} -keyout {key} -out {request}")
        openssl(
            f"x509 -req -in {request} -days 2 -CA {folder}/{authority}.pem "
            f"-CAkey {folder}/{authority}.key -CAcreateserial -extfile {names} "
            f"-out {certificate}"
        )

    make("authority")
    make("stranger")
    make("server", "authority")
    make("client", "authority")
    make("impostor", "stranger")
    return folder


def openssl(arguments):
    command = ["openssl", *arguments.split()]
    subprocess.run(command, check=True, capture_output=True)


def test_clients_show_certificates(fork_server, workspace, certificates):
    pem = {name.name: name for name in certificates.iterdir()}
    server = fork_server(
        workspace,
        *("--tls-cert", pem["server.pem"], "--tls-key", pem["server.key"]),
        *("--tls-client-ca", pem["authority.pem"]),
    )
    trust = {"tls_root_certs": pem["authority.pem"]}
    own = {"tls_client_cert": pem["client.pem"], "tls_client_key": pem["client.key"]}
    with server.connect(**trust, **own) as connection:
        assert fetch(connection, "SELECT 1") == [(1,)]
    contents = {name: file.read_bytes() for name, file in (trust | own).items()}
    with server.connect(**contents) as connection:
        assert fetch(connection, "SELECT 1") == [(1,)]
    with pytest.raises(thanosql.OperationalError) as caught:
        server.connect(**trust, **own, token="wrong")
    assert caught.value.sqlstate == "28000"  # a certificate is not enough
    impostor = {
        "tls_client_cert": pem["impostor.pem"],
        "tls_client_key": pem["impostor.key"],
    }
    for wrong in ({}, impostor):
        with pytest.raises(thanosql.OperationalError):
            server.connect(**trust, **wrong, connect_timeout=5)
    place = server.location.removeprefix("grpc+tls://").replace(
        "127.0.0.1", "localhost"
    )
    files = "&".join(f"{name}={file}" for name, file in (trust | own).items())
    url = f"thanosql://me:{server.token}@{place}/?tls=true&{files}"
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1
    engine.dispose()


# ---- Options


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--users", "nowhere"], "--users nowhere: No such file"),
        (["--users", "empty"], "the file of users has no [users.NAME]"),
        (
            ["--tls-client-ca", "empty"],
            "--tls-client-ca needs --tls-cert and --tls-key",
        ),
        (["--max-statements", "0"], "--max-statements must be at least 1"),
        (["--max-queue", "-1"], "--max-queue must be at least 0"),
        (["--session-timeout", "0"], "--session-timeout must be above 0"),
    ],
)
def test_wrong_options_are_named(options, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    arguments = ["--workspace", str(tmp_path / "w"), "--port", "0", *options]
    assert app.main(arguments) == 1
    assert capsys.readouterr().err.startswith(f"thanosql serve: {sentence}")


@pytest.mark.parametrize("text", ["-1", "soon", "inf", "nan"])
def test_a_time_is_a_number_of_seconds(text, capsys):
    with pytest.raises(SystemExit):
        app.main(["--workspace", "w", f"--statement-timeout={text}"])
    assert f"'{text}' is not a number of seconds" in capsys.readouterr().err


def test_a_signing_key_comes_from_the_environment(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(access.SIGNING_KEY, "short")
    assert app.main(["--workspace", str(tmp_path / "w"), "--port", "0"]) == 1
    expected = "thanosql serve: THANOSQL_SIGNING_KEY must have at least 32 bytes\n"
    assert capsys.readouterr().err == expected


def test_a_password_is_hashed(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\nmore\n"))
    with pytest.raises(SystemExit) as left:
        app.main(["--hash-password"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith('password = "scrypt$')
    assert printed.endswith('"\n')
    kept = PasswordHash.parse(printed.split('"')[1])
    assert kept.matches("secret")
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(SystemExit) as left:
        app.main(["--hash-password"])
    assert left.value.code == 2
    assert "a password must not be empty" in capsys.readouterr().err


def test_a_token_is_made(capsys):
    with pytest.raises(SystemExit):
        app.main(["--new-token"])
    token, kept = capsys.readouterr().out.splitlines()
    assert kept == f'tokens = ["{token_hash(token.encode())}"]'
    assert is_token_hash(kept.split('"')[1])
