"""From settings to a running server: `thanosql serve`, and servers inside a client."""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql_server.access import (
    add_access_options,
    new_token,
    read_access,
    read_limits,
)
from thanosql_server.config import (
    DEFAULT_PORT,
    FETCHED_BYTES,
    KEPT_HOURS,
    MOST_HOURS,
    Config,
)
from thanosql_server.engine.engine import Engine
from thanosql_server.errors import InvalidValue, ThanoSQLError
from thanosql_server.flight.server import FlightSqlServer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType


class EmbeddedServer:
    """A server in this process, reached over a socket in a private folder.

    Attributes:
        location: where a client connects.
        token: what it presents.
    """

    def __init__(self, config: Config, folder: Path | None) -> None:
        assert config.token is not None
        self.token = config.token
        self._folder = folder
        self._engine = Engine(config)
        self._server = FlightSqlServer(self._engine, config)
        self.location = self._server.location

    def close(self) -> None:
        """Stop running statements and the server; closing twice is fine."""
        self._server.shutdown()
        self._engine.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def serve_embedded(
    workspace: str,
    *,
    allowed_paths: Sequence[str] = (),
    mounts: dict[str, str] | None = None,
    allowed_urls: Sequence[str] = (),
    memory_limit: int | None = None,
    search_memory: int | None = None,
    version_retention: float = KEPT_HOURS,
    hubs: Sequence[str] = (),
    fetch_models: bool = False,
    device: str = "auto",
    precision: str = "auto",
) -> EmbeddedServer:
    """Start a server on a workspace inside this process.

    Args:
        workspace: a folder; it is made if it is not there.
        allowed_paths: folders outside the workspace that statements may read.
        mounts: path prefixes with a home elsewhere, such as `{"/data": "/mnt/x"}`.
        allowed_urls: addresses, `https://...` and `s3://...`, that COPY may read below.
        memory_limit: bytes for queries; half of the machine's memory by default.
        search_memory: bytes for vectors kept in memory; an eighth by default.
        version_retention: hours for which replaced versions of tables are kept.
        hubs: folders and addresses that GET THANOSQL takes data sets and models from.
        fetch_models: whether a model of a hub is fetched when a statement names it.
        device: where models encode: `cpu`, `cuda`, `cuda:1`; a GPU if there is one.
        precision: `fp32`, `fp16`, `bf16` or `int8`; by default what suits the device.
    """
    folder, location = _private_socket()
    config = Config(
        workspace=Path(workspace),
        location=location,
        token=new_token(),
        allowed_paths=tuple(Path(path) for path in allowed_paths),
        mounts=tuple((prefix, Path(home)) for prefix, home in (mounts or {}).items()),
        allowed_urls=tuple(allowed_urls),
        hubs=tuple(hubs),
        fetch_models=fetch_models,
        version_retention=version_retention,
        device=device,
        precision=precision,
        **_limits(memory_limit, search_memory),
    )
    try:
        return EmbeddedServer(config, folder)
    except BaseException:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _limits(memory_limit: int | None, search_memory: int | None) -> dict[str, Any]:
    """Return the limits that were given; the others keep their defaults."""
    limits = {"memory_limit": memory_limit, "search_memory": search_memory}
    return {name: value for name, value in limits.items() if value is not None}


def _private_socket() -> tuple[Path | None, str]:
    """Return a folder only this user can enter and the location of a socket in it."""
    if sys.platform == "win32":
        return None, "grpc://127.0.0.1:0"
    folder = Path(tempfile.mkdtemp(prefix="thanosql-"))
    return folder, f"grpc+unix://{folder}/socket"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `thanosql serve` until SIGTERM or Ctrl-C; return the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        options = _parser().parse_args(arguments)
        config, shown_token = _config(options)
        engine = Engine(config)
        server = FlightSqlServer(engine, config)
    except ThanoSQLError as error:
        print(f"thanosql serve: {error}", file=sys.stderr)
        return 1
    print(f"ThanoSQL serves {config.workspace} at {server.location}", flush=True)
    if shown_token:
        print(f"token: {config.token}", flush=True)
    threading.Thread(target=engine.preload, name="preload", daemon=True).start()
    _until_stopped(server, options.grace)
    engine.close()
    return 0


def _until_stopped(server: FlightSqlServer, grace: float) -> None:
    """Wait for a signal, then let running statements end; a second one ends them."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    previous = {
        name: signal.signal(name, stop) for name in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        while not stopped.wait(0.5):
            pass
        server.shutdown(grace)
    except KeyboardInterrupt:
        server.shutdown()
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="thanosql serve", description="Serve a workspace over Arrow Flight SQL."
    )
    add = parser.add_argument
    add("--workspace", type=Path, required=True, help="the folder to serve")
    add("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    add("--port", type=int, default=DEFAULT_PORT, help="port; 0 for a free one")
    add(
        "--allow-path",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder outside the workspace that statements may read; repeatable",
    )
    add(
        "--mount",
        action="append",
        default=[],
        metavar="/PREFIX=DIR",
        help="give paths below /PREFIX a home in DIR; repeatable",
    )
    add(
        "--allow-url",
        action="append",
        default=[],
        metavar="URL",
        help="https://host/folder or s3://bucket/folder that COPY may read; repeatable",
    )
    add(
        "--max-fetched-bytes",
        type=int,
        default=FETCHED_BYTES,
        metavar="N",
        help="bytes of one file that COPY fetches (default: 4 GiB)",
    )
    add(
        "--hub",
        action="append",
        default=[],
        metavar="LOCATION",
        help="a folder or address with hub.toml for GET THANOSQL; repeatable",
    )
    add(
        "--fetch-models",
        action="store_true",
        help="fetch a model of a hub when a statement names it",
    )
    add("--device", default="auto", help="where models encode: auto, cpu, cuda, cuda:1")
    add(
        "--precision",
        default="auto",
        help="with which numbers: auto, fp32, fp16, bf16, int8",
    )
    add_access_options(parser)
    add("--memory-limit", type=int, help="bytes for queries (default: half of memory)")
    add(
        "--search-memory",
        type=int,
        help="bytes for vectors that searches keep in memory (default: an eighth)",
    )
    add(
        "--version-retention",
        type=_hours,
        default=KEPT_HOURS,
        metavar="HOURS",
        help="how long replaced versions of tables stay (default: 24)",
    )
    return parser


def _config(options: argparse.Namespace) -> tuple[Config, bool]:
    """Return the settings, and whether the token was made up and must be shown."""
    access = read_access(options)
    scheme = "grpc+tls" if access.tls else "grpc"
    host = f"[{options.host}]" if ":" in options.host else options.host
    config = Config(
        workspace=options.workspace,
        location=f"{scheme}://{host}:{options.port}",
        token=access.token,
        users=access.users,
        signing_key=access.signing_key,
        allowed_paths=tuple(options.allow_path),
        mounts=tuple(_mount(text) for text in options.mount),
        allowed_urls=tuple(options.allow_url),
        max_fetched_bytes=options.max_fetched_bytes,
        hubs=tuple(options.hub),
        fetch_models=options.fetch_models,
        device=options.device,
        precision=options.precision,
        tls=access.tls,
        tls_client_ca=access.tls_client_ca,
        limits=read_limits(options),
        version_retention=options.version_retention,
        **_limits(options.memory_limit, options.search_memory),
    )
    return config, access.made_up


def _hours(text: str) -> float:
    """Return a number of hours; argparse turns the error into its own."""
    hours = float(text)
    if not 0 <= hours <= MOST_HOURS:
        raise ValueError
    return hours


def _mount(text: str) -> tuple[str, Path]:
    prefix, equals, home = text.partition("=")
    if not (prefix.startswith("/") and equals and home):
        raise InvalidValue(f"--mount takes /PREFIX=DIR, not '{text}'")
    return prefix.rstrip("/"), Path(home)
