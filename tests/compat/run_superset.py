"""A real Superset 6.1 walked through its REST API, with our server behind it.

    python tests/compat/run_superset.py [--keep FOLDER]

Makes an environment for Superset beside ours (`.venv-compat/superset`, once), serves a
workspace of drawn pictures, and does what somebody who sets up a dashboard does. Where
Chromium is installed, the pages are opened in it, too; `--keep` is where their pictures
go.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-compat" / "superset"
# Superset pins none of these, and works with neither their newest versions nor without.
PACKAGES = (
    *("apache-superset==6.1.0", "gunicorn", "playwright"),
    *("flask-caching<2.4", "cachetools<7", "rich"),
)
SERVE = "import sys; from thanosql.cli import main; sys.exit(main())"
ADMIN = (
    *("--username", "admin", "--password", "admin", "--firstname", "A"),
    *("--lastname", "B", "--email", "a@example.org"),
)
TOKEN = "a-token-for-this-run-only"
PICTURES = 400
PATIENCE = 180.0
GRAINS = (
    *("PT1S", "PT5S", "PT30S", "PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT0.5H"),
    *("PT1H", "PT6H", "P1D", "P1W", "1969-12-28T00:00:00Z/P1W"),
    *("1969-12-29T00:00:00Z/P1W", "P1W/1970-01-03T00:00:00Z"),
    *("P1W/1970-01-04T00:00:00Z", "P1M", "P3M", "P0.25Y", "P1Y"),
)
CONFIG = """
import os
SECRET_KEY = "for-one-run-on-the-loopback-interface-only"
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db?check_same_thread=false"
WTF_CSRF_ENABLED = False
"""
SEARCH = "SEARCH IMAGE text='a red circle' USING demo_clip AS SELECT * FROM scenes\n"
FOUND = (
    "SELECT image_html(image_path, 96) AS picture, photo_description,\n"
    "       demo_clip_clipen_similarity1 AS similarity\n"
    f"FROM ({SEARCH.strip()})\n"
    "ORDER BY similarity DESC"
)
SLOW = "SELECT sum(value) FROM generate_series(1, 1000000000000)"


class Failed(Exception):
    """A step did not do what it should."""


def expect(true, what):
    if not true:
        raise Failed(what)


# ---- What runs ---------------------------------------------------------------


def make_environment():
    python = VENV / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([*pip, *PACKAGES], check=True)
    subprocess.run([*pip, f"{ROOT}[sqlalchemy]"], check=True)
    ours = [*pip, "--no-deps", "--force-reinstall", str(ROOT)]
    subprocess.run(ours, check=True)
    return VENV / "bin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_workspace(folder):
    """Fill a workspace with scenes, their embeddings, and a table of times."""
    import thanosql
    import thanosql_server
    from thanosql_server.scenes import held_out_scenes, write_scenes

    demo_clip = Path(thanosql_server.__file__).parent / "demo_clip"
    shutil.copytree(demo_clip, folder / ".thanosql" / "models" / "demo_clip" / "v1")
    write_scenes(folder / "scenes", "scenes", "scenes", held_out_scenes(PICTURES))
    (table,) = [file.name for file in (folder / "scenes").glob("*.csv")]
    with thanosql.connect(str(folder)) as connection, connection.cursor() as cursor:
        cursor.execute(f"COPY scenes FROM 'scenes/{table}'")
        cursor.execute(
            "CONVERT USING demo_clip OPTIONS (table_name='scenes') "
            "AS SELECT * FROM scenes"
        )
        cursor.execute(
            "CREATE TABLE events AS SELECT to_timestamp_seconds(1767225600 + value * "
            "40000) AS at, value AS amount, value % 3 = 0 AS odd, "
            "CASE value % 2 WHEN 0 THEN 'even' ELSE 'uneven' END AS kind "
            "FROM generate_series(1, 500)"
        )


@contextlib.contextmanager
def running(command, log, **options):
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, **options
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(true, what, log):
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise Failed(f"waited for {what}:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


@contextlib.contextmanager
def thanosql_server_at(folder, port):
    workspace = folder / "workspace"
    workspace.mkdir()
    make_workspace(workspace)
    token_file = folder / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    log = folder / "server.log"
    command = [sys.executable, "-c", SERVE, "serve", "--workspace", workspace]
    command += ["--port", str(port), "--token-file", token_file]
    with running(command, log) as process:
        wait_for(lambda: " at grpc" in log.read_text(), "our server", log)
        yield f"thanosql://admin:{TOKEN}@127.0.0.1:{port}/", process.pid


@contextlib.contextmanager
def superset_at(folder, port, bin_folder):
    config = folder / "superset_config.py"
    config.write_text(CONFIG.format(folder=folder))
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    } | {"SUPERSET_CONFIG_PATH": str(config), "SUPERSET_HOME": str(folder)}
    log = folder / "setup.log"
    for arguments in (
        ["db", "upgrade"],
        ["fab", "create-admin", *ADMIN],
        ["init"],
    ):
        with log.open("ab") as output:
            done = subprocess.run(
                [bin_folder / "superset", *arguments],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise Failed(f"superset {arguments[0]}:\n{log.read_text()[-3000:]}")
    command = [bin_folder / "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "1"]
    command += ["-k", "gthread", "--threads", "8", "--timeout", "300"]
    log = folder / "superset.log"
    with running([*command, "superset.app:create_app()"], log, env=environment):
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: is_up(f"{url}/health"), "Superset", log)
        yield url


def cpu_seconds(pid):
    """Return what a process has used; it is there on Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def is_up(url):
    with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:
        return answer.status == 200
    return False


# ---- Superset's API ----------------------------------------------------------


class Api:
    """Superset's REST API; answers as (status, JSON)."""

    def __init__(self, url):
        self.url = url
        self.token = None

    def __call__(self, method, path, body=None):
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}", data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text

    def ok(self, method, path, body=None):
        status, answer = self(method, path, body)
        expect(status < 300, f"{method} {path}: {status} {answer}")
        return answer


class Walk:
    """The steps, in the order in which somebody takes them."""

    name = "ThanoSQL"

    def __init__(self, api, uri, server):
        self.api = api
        self.uri = uri
        self.server = server  # its process id
        self.database = self.dataset = self.found = self.chart = 0

    def step_01_log_in(self):
        body = {"username": "admin", "password": "admin", "provider": "db"}
        self.api.token = self.api.ok("POST", "security/login", body)["access_token"]

    def step_02_superset_offers_the_engine(self):
        offered = self.api.ok("GET", "database/available/")["databases"]
        (ours,) = [one for one in offered if one["engine"] == "thanosql"]
        expect(ours["name"] == "ThanoSQL", ours)
        expect(ours["available_drivers"] == ["flight"], ours)

    def step_03_test_the_connection(self):
        body = {"sqlalchemy_uri": self.uri, "database_name": self.name}
        self.api.ok("POST", "database/test_connection/", body)

    def step_04_a_wrong_token_is_said_to_be_wrong(self):
        body = {"sqlalchemy_uri": self.uri.replace(TOKEN, "wrong")}
        status, answer = self.api("POST", "database/test_connection/", body)
        expect(status >= 400, answer)
        expect(
            "token" in json.dumps(answer) or "password" in json.dumps(answer), answer
        )
        expect("Traceback" not in json.dumps(answer), answer)

    def step_05_add_the_database(self):
        body = {
            "database_name": self.name,
            "sqlalchemy_uri": self.uri,
            "expose_in_sqllab": True,
            "allow_dml": False,
        }
        answer = self.api.ok("POST", "database/", body)
        self.database = answer["id"]
        expect(TOKEN not in json.dumps(answer), answer)

    def step_06_catalogs(self):
        answer = self.api.ok("GET", f"database/{self.database}/catalogs/")
        expect(answer["result"] == ["thanosql"], answer)

    def step_07_schemas(self):
        answer = self.api.ok("GET", f"database/{self.database}/schemas/")
        expect({"public", "thanosql"} <= set(answer["result"]), answer)

    def step_08_tables(self):
        query = quote("(schema_name:public,catalog_name:thanosql,force:!t)")
        path = f"database/{self.database}/tables/?q={query}"
        tables = {one["value"] for one in self.api.ok("GET", path)["result"]}
        expect(tables == {"scenes", "events"}, tables)

    def step_09_columns_of_a_table(self):
        path = f"database/{self.database}/table_metadata/?name=scenes&schema=public"
        answer = self.api.ok("GET", path)
        names = [column["name"] for column in answer["columns"]]
        expect("image_path" in names and "demo_clip_clipen" in names, names)
        expect("FROM public.scenes" in answer["selectStar"], answer["selectStar"])

    def step_10_functions_to_complete(self):
        path = f"database/{self.database}/function_names/"
        names = self.api.ok("GET", path)["function_names"]
        wanted = {"image_html", "cosine_similarity", "date_bin", "median"}
        expect(wanted <= set(names), names)

    def step_11_sql_lab_runs_a_search(self):
        answer = self.run_sql(SEARCH, limit=5)
        expect(len(answer["data"]) == 5, len(answer["data"]))
        names = [column["column_name"] for column in answer["columns"]]
        expect("demo_clip_clipen_similarity1" in names, names)
        expect("LIMIT 6" in answer["query"]["executedSql"], answer["query"])

    def step_12_sql_lab_shows_pictures(self):
        data = self.run_sql(FOUND, limit=4)["data"]
        expect(len(data) == 4, len(data))
        first = data[0]
        expect(first["picture"].startswith('<img src="data:image/jpeg;base64,'), first)
        best = max(row["similarity"] for row in data)
        expect(first["similarity"] == best, data)

    def step_13_the_other_statements_that_read(self):
        for sql in (
            "LIST MODEL",
            "PRINT IMAGE AS SELECT image_path FROM scenes",
            "EXPLAIN SELECT * FROM scenes",
            "SHOW TABLES",
            "CONVERT USING demo_clip AS SELECT image_path FROM scenes LIMIT 2",
            f"WITH s AS ({SEARCH}) SELECT count(*) AS n FROM s",
            f"SELECT image_path FROM ({SEARCH}) UNION ALL SELECT 'x'",
            "DESCRIBE scenes",
        ):
            expect(self.run_sql(sql, limit=3)["data"], sql)

    def step_14_changes_need_the_permission(self):
        for sql in (
            "CONVERT USING demo_clip OPTIONS (table_name='scenes') "
            "AS SELECT * FROM scenes",
            "BUILD MODEL m USING SimCLR AS SELECT * FROM scenes",
            "COPY t FROM 'scenes/scenes.csv'",
            "CREATE TABLE t USING demo_clip FROM 'scenes'",
            "DELETE MODEL demo_clip",
            "GET THANOSQL DATASET mnist_data",
            f"CREATE TABLE t AS {SEARCH}",
            "EXPLAIN ANALYZE DELETE FROM scenes",
        ):
            status, answer = self.execute(sql)
            expect(status >= 400, (sql, answer))
            kind = answer["errors"][0]["error_type"]
            expect(kind == "DML_NOT_ALLOWED_ERROR", (sql, answer))

    def step_15_errors_are_the_servers_sentences(self):
        for sql, words, kind in (
            ("SELECT * FROM scene", "there is no table 'scene'", "TABLE"),
            (
                "SELECT image_pat FROM scenes",
                "there is no column 'image_pat'",
                "COLUMN",
            ),
            (SEARCH.replace("demo_clip", "demo"), "there is no model 'demo'", "OBJECT"),
        ):
            status, answer = self.execute(sql)
            expect(status >= 400, answer)
            (error,) = answer["errors"]
            expect(error["message"].startswith(words), error)
            expect(error["error_type"] == f"{kind}_DOES_NOT_EXIST_ERROR", error)

    def step_16_a_data_set_of_a_table(self):
        body = {"database": self.database, "schema": "public", "table_name": "scenes"}
        self.dataset = self.api.ok("POST", "dataset/", body)["id"]
        columns = self.columns_of(self.dataset)
        kinds = {column["column_name"]: column["type_generic"] for column in columns}
        expect(kinds["image_path"] == 1, kinds)  # a text

    def step_17_with_a_column_of_pictures(self):
        columns = [
            {"id": column["id"], "column_name": column["column_name"]}
            for column in self.columns_of(self.dataset)
        ]
        columns.append(
            {
                "column_name": "picture",
                "expression": "image_html(image_path, 96)",
                "type": "VARCHAR",
            }
        )
        path = f"dataset/{self.dataset}?override_columns=false"
        self.api.ok("PUT", path, {"columns": columns})

    def step_18_a_chart_of_its_rows(self):
        query = {
            "columns": ["picture", "image_path"],
            "orderby": [["image_path", False]],
            "row_limit": 3,
        }
        data = self.chart_data(self.dataset, query)
        expect(len(data) == 3, data)
        expect(all(row["picture"].startswith("<img src=") for row in data), data)
        paths = [row["image_path"] for row in data]
        expect(paths == sorted(paths, reverse=True), paths)

    def step_19_a_chart_that_groups(self):
        metric = {
            "expressionType": "SQL",
            "sqlExpression": "COUNT(DISTINCT photo_description)",
            "label": "texts",
        }
        query = {"columns": ["picture"], "metrics": [metric, "count"], "row_limit": 5}
        query["orderby"] = [[metric, False]]
        data = self.chart_data(self.dataset, query)
        expect(len(data) == 5, data)
        expect(all(row["picture"].startswith("<img") for row in data), data)

    def step_20_a_data_set_of_a_search(self):
        body = {
            "database": self.database,
            "schema": "public",
            "table_name": "red circles",
            "sql": FOUND,
        }
        self.found = self.api.ok("POST", "dataset/", body)["id"]
        names = {column["column_name"] for column in self.columns_of(self.found)}
        expect(names == {"picture", "photo_description", "similarity"}, names)
        query = {
            "columns": ["picture", "photo_description", "similarity"],
            "orderby": [["similarity", False]],
            "row_limit": 5,
        }
        data = self.chart_data(self.found, query)
        expect("circle" in data[0]["photo_description"], data[0])

    def step_21_every_time_grain(self):
        body = {"database": self.database, "schema": "public", "table_name": "events"}
        events = self.api.ok("POST", "dataset/", body)["id"]
        for grain in GRAINS:
            column = {
                "timeGrain": grain,
                "columnType": "BASE_AXIS",
                "sqlExpression": "at",
                "label": "at",
                "expressionType": "SQL",
            }
            query = {
                "columns": [column],
                "metrics": ["count"],
                "filters": [
                    {
                        "col": "at",
                        "op": "TEMPORAL_RANGE",
                        "val": "2026-01-01 : 2026-03-01",
                    }
                ],
                "row_limit": 1000,
            }
            data = self.chart_data(events, query)
            total = sum(row["count"] for row in data)
            expect(total == 127, (grain, total, len(data)))
        for op, wanted in (("IS TRUE", 166), ("IS FALSE", 334), ("IS NULL", None)):
            query = {"metrics": ["count"], "filters": [{"col": "odd", "op": op}]}
            data = self.chart_data(events, query)
            expect(data[0]["count"] == (wanted or 0), (op, data))

    def step_22_stop_a_query(self):
        client = uuid.uuid4().hex[:10]
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(self.execute(SLOW, client=client))
        )
        thread.start()
        try:
            deadline, status, stopped = time.monotonic() + 30, 0, ""
            while status != 200 and time.monotonic() < deadline:
                time.sleep(1)
                status, stopped = self.api("POST", "query/stop", {"client_id": client})
            expect(status == 200, (status, stopped))
        finally:
            thread.join(60)
        expect(not thread.is_alive(), "the query runs on")
        expect(answers, "no answer")
        time.sleep(1)
        before = cpu_seconds(self.server)
        time.sleep(2)
        spent = cpu_seconds(self.server) - before
        expect(spent < 0.5, f"the server works on: {spent:.1f} s in 2 s")

    def step_23_save_a_chart(self):
        form = {
            "datasource": f"{self.found}__table",
            "viz_type": "table",
            "query_mode": "raw",
            "all_columns": ["picture", "photo_description", "similarity"],
            "order_by_cols": ['["similarity", false]'],
            "row_limit": 10,
            "server_page_length": 10,
            "allow_render_html": True,
            "column_config": {"similarity": {"d3NumberFormat": ".3f"}},
            "table_timestamp_format": "smart_date",
            "adhoc_filters": [],
        }
        body = {
            "slice_name": "Red circles",
            "viz_type": "table",
            "datasource_id": self.found,
            "datasource_type": "table",
            "params": json.dumps(form),
        }
        self.chart = self.api.ok("POST", "chart/", body)["id"]

    # ---- What they need --------------------------------------------------

    def execute(self, sql, limit=10, client=None):
        body = {
            "client_id": client or uuid.uuid4().hex[:10],
            "database_id": self.database,
            "schema": "public",
            "sql": sql,
            "queryLimit": limit,
            "runAsync": False,
        }
        return self.api("POST", "sqllab/execute/", body)

    def run_sql(self, sql, limit):
        status, answer = self.execute(sql, limit)
        expect(status == 200, f"{sql}: {status} {str(answer)[:1000]}")
        return answer

    def columns_of(self, dataset):
        return self.api.ok("GET", f"dataset/{dataset}")["result"]["columns"]

    def chart_data(self, dataset, query):
        body = {
            "datasource": {"id": dataset, "type": "table"},
            "force": True,
            "queries": [query],
            "result_format": "json",
            "result_type": "full",
        }
        status, answer = self.api("POST", "chart/data", body)
        expect(status == 200, f"{query}: {status} {str(answer)[:1000]}")
        return answer["result"][0]["data"]


def walk(api, uri, server):
    """Take all steps; return the walk, the number taken and the number there are."""
    steps = Walk(api, uri, server)
    names = sorted(name for name in dir(steps) if name.startswith("step_"))
    taken = 0
    for name in names:
        what = name[5:].replace("_", " ")
        started = time.monotonic()
        try:
            getattr(steps, name)()
        except Exception as error:
            print(f"  {what}: FAILED: {error}")
            if not isinstance(error, Failed):
                traceback.print_exc()
        else:
            taken += 1
            print(f"  {what}: ok ({time.monotonic() - started:.1f} s)")
    return steps, taken, len(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder for pictures of the pages")
    options = parser.parse_args()
    bin_folder = make_environment()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri, server = stack.enter_context(thanosql_server_at(folder, free_port()))
        url = stack.enter_context(superset_at(folder, free_port(), bin_folder))
        steps, taken, number = walk(Api(url), uri, server)
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        if chromium is None:
            print("  no chromium here: the pages are not opened")
        elif steps.chart:
            pages = Path(__file__).with_name("superset_pages.py")
            keep = options.keep or folder
            command = [bin_folder / "python", pages, url, chromium, keep]
            number += 1
            command += [str(steps.database), str(steps.chart), FOUND]
            shown = subprocess.run(command, check=False, timeout=300)
            taken += shown.returncode == 0
    verdict = "ok" if taken == number else "short"
    print(f"bar superset-steps: {taken} (limit {number}) {verdict}")
    return 0 if taken == number else 1


if __name__ == "__main__":
    sys.exit(main())
