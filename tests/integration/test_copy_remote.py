"""COPY from web servers and S3: what the list of addresses lets through."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thanosql
from tests.needs import NEEDS_MOTO
from thanosql_server.errors import InvalidValue, PermissionDenied, ResourceExhausted
from thanosql_server.storage.remote_files import RemoteFiles
from thanosql_server.storage.remote_web import read_page
from thanosql_server.storage.scratch import Scratch

CSV = b"a,b\n1,x\n2,y\n"


class Pages(BaseHTTPRequestHandler):
    """Files, redirects, and answers that are wrong."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path in ("/data/t.csv", "/secret/t.csv", "/data/a%20b.csv"):
            self.answer(200, CSV)
        elif path == "/data/moved.csv":
            self.answer(302, b"", Location="/data/t.csv")
        elif path == "/data/out.csv":
            self.answer(302, b"", Location="/secret/t.csv")
        elif path == "/data/elsewhere.csv":
            self.answer(302, b"", Location="http://169.254.169.254/latest/meta-data")
        elif path == "/data/file.csv":
            self.answer(302, b"", Location="file:///etc/passwd")
        elif path == "/data/round.csv":
            self.answer(302, b"", Location="/data/round.csv")
        elif path == "/data/short.csv":
            self.answer(200, CSV, **{"Content-Length": "1000"})
        elif path == "/data/large.csv":
            self.answer(200, b"a\n" + b"1\n" * 50_000)
        elif path == "/data/broken.csv":
            self.answer(500, b"")
        else:
            self.answer(404, b"")

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def cursor(web, tmp_path_factory):
    folder = tmp_path_factory.mktemp("remote")
    allowed = [f"{web}/data", "https://data.example.org/open/"]
    with (
        thanosql.connect(folder, allowed_urls=allowed) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


@pytest.mark.parametrize("path", ["t.csv", "moved.csv", "t.csv?v=1", "a%20b.csv"])
def test_a_file_below_an_address_of_the_list_is_read(cursor, web, path):
    cursor.execute("COPY t OPTIONS(overwrite=True) FROM ?", [f"{web}/data/{path}"])
    assert cursor.rowcount == 2
    assert cursor.execute("SELECT * FROM t").fetchall() == [(1, "x"), (2, "y")]


def refused(cursor, address):
    with pytest.raises(thanosql.Error) as raised:
        cursor.execute("COPY never FROM ?", [address])
    assert cursor.execute("LIST TABLE").fetchall() in ([], [("t",)])
    return raised.value.sqlstate, str(raised.value)


NOT_LISTED = [
    "{web}/secret/t.csv",
    "{web}/database/t.csv",
    "{web}/data/../secret/t.csv",
    "{web}/data/%2e%2e/secret/t.csv",
    "{web}/data/%252e%252e/secret/t.csv",
    "{web}/data/..\\secret/t.csv",
    "{web}/t.csv",
    "http://127.0.0.1:1/data/t.csv",
    "http://localhost/data/t.csv",
    "https://127.0.0.1/data/t.csv",
    "https://data.example.org/closed/t.csv",
    "https://data.example.org.evil.org/open/t.csv",
    "https://data.example.org:8443/open/t.csv",
    "https://me@data.example.org/open/t.csv",
    "http://data.example.org/open/t.csv",
    "s3://bucket/t.csv",
    "http://169.254.169.254/latest/meta-data/t.csv",
]


@pytest.mark.parametrize("address", NOT_LISTED)
def test_what_is_not_below_one_is_refused_unasked(cursor, web, address):
    state, sentence = refused(cursor, address.format(web=web))
    assert state == "42501"
    assert "is none of the addresses this server may read" in sentence


@pytest.mark.parametrize("path", ["out.csv", "elsewhere.csv"])
def test_a_redirect_leads_to_no_other_place(cursor, web, path):
    assert refused(cursor, f"{web}/data/{path}")[0] == "42501"


def test_a_redirect_leads_to_no_file_of_the_server(cursor, web):
    assert refused(cursor, f"{web}/data/file.csv")[0] in ("42501", "22023")


@pytest.mark.parametrize(
    ("path", "state", "sentence"),
    [
        ("nothing.csv", "58P01", "there is no file '{web}/data/nothing.csv'"),
        ("broken.csv", "HV00N", "the server answers with status 500"),
        ("round.csv", "HV00N", "it is redirected too often"),
        ("short.csv", "HV00N", "the connection failed or broke off"),
        ("t.exe", "58P01", "there is no file"),
    ],
)
def test_what_a_server_answers_wrongly_is_told(cursor, web, path, state, sentence):
    found = refused(cursor, f"{web}/data/{path}")
    assert found[0] == state
    assert sentence.format(web=web) in found[1]


def test_a_pattern_of_a_web_server_is_refused(cursor, web):
    for path in ("*.csv", "[a-z].csv", "**/t.csv"):
        state, sentence = refused(cursor, f"{web}/data/{path}")
        assert state == "0A000"
        assert "web servers do not list their files" in sentence


def test_without_a_list_nothing_is_read(tmp_path):
    with thanosql.connect(tmp_path) as connection, connection.cursor() as cursor:
        for address in ("https://example.org/t.csv", "s3://bucket/t.csv"):
            assert refused(cursor, address)[0] == "42501"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "10.0.0.1"])
def test_a_private_address_that_is_not_listed_itself_is_not_spoken_to(host):
    reading = read_page(f"http://{host}:1/t.csv", str, ("http://example.org/",))
    with pytest.raises(PermissionDenied, match="leads to a private address"):
        list(reading)


def test_a_file_has_a_limit_and_leaves_nothing_behind(tmp_path, web):
    scratch = Scratch(tmp_path / "scratch")
    files = RemoteFiles((f"{web}/data",), 50_000, scratch)
    too_large = pytest.raises(ResourceExhausted, match="larger than the 50,000 bytes")
    with too_large, files.fetched(f"{web}/data/large.csv", None):
        pass
    with files.fetched(f"{web}/data/t.csv", None) as path:
        assert (path.suffix, path.read_bytes()) == (".csv", CSV)
    assert list(scratch.folder.iterdir()) == []
    scratch.close()


@pytest.mark.parametrize("address", ["ftp://host/x", "/etc", "https://", "host/x"])
def test_a_list_of_no_addresses_is_refused_at_the_start(tmp_path, address):
    scratch = Scratch(tmp_path / "scratch")
    with pytest.raises(InvalidValue, match="--allow-url takes an address such as"):
        RemoteFiles((address,), 1, scratch)
    scratch.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store that speaks S3, in a process of its own."""
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["moto_server", "-H", "127.0.0.1", "-p", "0"],
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": "", "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield _address(log, process)
    finally:
        process.terminate()
        process.wait()


def _address(log, process):
    for _ in range(300):
        for line in log.read_text().splitlines():
            if "Running on http://" in line:
                address = line.partition("Running on ")[2].split()[0]
                with urlopen(address):
                    return address
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@NEEDS_MOTO
def test_objects_of_an_allowed_bucket_are_read(store, tmp_path, monkeypatch):
    from pyarrow.fs import S3FileSystem

    monkeypatch.setenv("AWS_ENDPOINT_URL", store)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    system = S3FileSystem(
        region="us-east-1",
        endpoint_override=store,
        allow_bucket_creation=True,
        allow_delayed_open=True,  # small objects in one request
    )
    for bucket in ("open", "closed"):
        system.create_dir(bucket)
        with system.open_output_stream(f"{bucket}/data/t.parquet") as file:
            pq.write_table(pa.table({"n": range(5)}), file)
    for name in ("t.csv", "deep/u.csv"):
        with system.open_output_stream(f"open/data/{name}") as file:
            file.write(CSV)
    allowed = ["s3://open/data"]
    with (
        thanosql.connect(tmp_path, allowed_urls=allowed) as connection,
        connection.cursor() as cursor,
    ):
        assert cursor.execute("COPY p FROM 's3://open/data/t.parquet'").rowcount == 5
        assert cursor.execute("SELECT sum(n) FROM p").fetchall() == [(10,)]
        assert cursor.execute("COPY c FROM 's3://open/data/t.csv'").rowcount == 2
        cursor.execute("COPY m OPTIONS(filename=True) FROM 's3://open/data/**/*.csv'")
        found = cursor.execute("SELECT a, filename FROM m").fetchall()
        names = ["s3://open/data/deep/u.csv"] * 2 + ["s3://open/data/t.csv"] * 2
        assert found == [(n, name) for n, name in zip([1, 2, 1, 2], names, strict=True)]
        assert cursor.execute("COPY n FROM 's3://open/data/?.csv'").rowcount == 2
        for address, state in [
            ("s3://open/data/nothing.csv", "58P01"),
            ("s3://open/data/*.tsv", "58P01"),
            ("s3://open/data/*", "22023"),
            ("s3://closed/data/*.parquet", "42501"),
            ("s3://open/*/t.csv", "42501"),
            ("s3://*/data/t.csv", "42501"),
            ("s3://open/data/*/../../*.parquet", "42501"),
            ("s3://closed/data/t.parquet", "42501"),
            ("s3://open/t.parquet", "42501"),
            ("s3://open/data/../t.parquet", "42501"),
        ]:
            with pytest.raises(thanosql.Error) as raised:
                cursor.execute("COPY never FROM ?", [address])
            assert raised.value.sqlstate == state
            assert store not in str(raised.value)
