import pytest

from thanosql.conninfo import Conninfo, parse
from thanosql.errors import InterfaceError


def conninfo(target, environ=None, **settings):
    return parse(target, settings, environ or {})


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("grpc://db:4000", "grpc://db:4000"),
        ("grpc://db", "grpc://db:31337"),
        ("grpc+tcp://db:1", "grpc+tcp://db:1"),
        ("grpc+tls://db.example:443", "grpc+tls://db.example:443"),
        ("grpc+unix:///run/thanosql.sock", "grpc+unix:///run/thanosql.sock"),
        ("grpc://[::1]:5", "grpc://[::1]:5"),
        ("thanosql://db", "grpc://db:31337"),
        ("thanosql://db:5/?tls=true", "grpc+tls://db:5"),
        ("thanosql://db:5?tls=no", "grpc://db:5"),
    ],
)
def test_urls_become_locations(target, location):
    assert conninfo(target) == Conninfo(location=location)


@pytest.mark.parametrize(
    ("target", "workspace"),
    [
        ("./workspace", "./workspace"),
        ("workspace", "workspace"),
        ("/srv/workspace", "/srv/workspace"),
        ("thanosql:///srv/workspace", "/srv/workspace"),
        ("thanosql:////srv/workspace", "/srv/workspace"),
        ("thanosql:///./workspace", "./workspace"),
        ("thanosql:///../with%20space", "../with space"),
    ],
)
def test_paths_become_workspaces(target, workspace):
    assert conninfo(target) == Conninfo(workspace=workspace)


def test_a_path_object_is_a_workspace(tmp_path):
    assert conninfo(tmp_path).workspace == str(tmp_path)


def test_credentials_in_the_url_are_decoded():
    info = conninfo("thanosql://me:a%2Fb%40c@db:1")
    assert (info.user, info.token) == ("me", "a/b@c")


def test_a_token_without_a_user_needs_no_handshake():
    info = conninfo("thanosql://:abc@db:1")
    assert (info.user, info.token) == (None, "abc")


def test_arguments_win_over_the_url_and_the_url_over_the_environment():
    environ = {"THANOSQL_TOKEN": "environment"}
    assert conninfo("thanosql://:url@db", environ, token="given").token == "given"
    assert conninfo("thanosql://:url@db", environ).token == "url"
    assert conninfo("thanosql://db", environ).token == "environment"
    assert conninfo("./workspace", environ).token is None


def test_the_secret_is_not_shown():
    assert "abc" not in repr(conninfo("thanosql://me:abc@db"))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "no server named"),
        ("", "no server named"),
        ("grcp://db", "unknown scheme 'grcp'; did you mean 'grpc'?"),
        ("http://me:secret@db", "unknown scheme 'http'"),
        ("grpc://db:port", "is not a URL"),
        ("grpc://", "no host in 'grpc://'"),
        ("thanosql://", "names no folder"),
        ("localhost:31337", "did you mean 'grpc://localhost:31337'?"),
        ("thanosql://db?tsl=true", "unknown setting 'tsl' in the URL; did you mean"),
        ("thanosql://db?tls=maybe", "must be true or false, not 'maybe'"),
        ("thanosql://db?timeout=soon", "must be a number of seconds, not 'soon'"),
        ("thanosql://db?timeout=-1", "'timeout' must be above 0"),
        ("thanosql://:a%0Ab@db", "other than printable ASCII"),
    ],
)
def test_what_cannot_be_used_is_named(target, message):
    with pytest.raises(InterfaceError) as caught:
        conninfo(target)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_certificates_are_read_from_a_file(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_bytes(b"-----BEGIN")
    assert (
        conninfo("grpc+tls://db", tls_root_certs=path).tls_root_certs == b"-----BEGIN"
    )


def test_missing_certificates_are_named(tmp_path):
    with pytest.raises(InterfaceError, match=r"cannot read the certificates .*ca\.pem"):
        conninfo("grpc+tls://db", tls_root_certs=tmp_path / "ca.pem")
