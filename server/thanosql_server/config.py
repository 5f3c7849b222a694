"""What a server is told when it starts: one frozen object, read once at the edge."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_PORT = 31337
"""The documented default port of `thanosql serve`."""


KEPT_HOURS = 24.0
"""How long replaced versions of tables stay, if nothing else is said."""

FETCHED_BYTES = 4 << 30
"""How large a file of another machine may be, if nothing else is said."""

MOST_HOURS = 1_000_000
"""That replaced versions can be kept; more than a hundred years."""


def _memory() -> int:
    """Return the machine's memory in bytes (4 GiB where it cannot be read)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 4 << 30


@dataclass(frozen=True)
class Limits:
    """How much clients may ask for; times are in seconds.

    Attributes:
        statement_timeout: how long any statement may take; 0 for no limit. Sessions may
            set less.
        max_result_bytes: how many bytes of rows any statement may return; 0 for no
            limit. Sessions may set less.
        max_temp_bytes: how many bytes of temporary files all statements together may
            spill to disk; 0 for no limit.
        max_statements: how many statements run at a time.
        max_queue: how many more may wait for their turn.
        queue_seconds: how long they wait.
        session_timeout: after how long without use a session ends.
        max_sessions: how many sessions are remembered.
        token_lifetime: after how long without use a signed token ends.
    """

    statement_timeout: float = 0.0
    max_result_bytes: int = 0
    max_temp_bytes: int = 0
    max_statements: int = 100
    max_queue: int = 200
    queue_seconds: float = 30.0
    session_timeout: float = 3600.0
    max_sessions: int = 10_000
    token_lifetime: float = 12 * 3600.0


@dataclass(frozen=True)
class Config:
    """Settings of one server.

    Attributes:
        workspace: the folder that holds the user's files and, under `.thanosql`, ours.
        location: a gRPC location, `grpc://127.0.0.1:0` for a free port on loopback.
        token: the secret that clients present as admins. Without it and without users
            anybody is let in (tests only).
        users: content of the file of users (see `flight.users`), or None.
        signing_key: signs the tokens of sessions; None for the one of the workspace.
        allowed_paths: folders outside the workspace that statements may read.
        mounts: path prefixes given a home elsewhere, as `{"/data": Path("/mnt/x")}`.
        allowed_urls: addresses on other machines below which COPY may read files.
        max_fetched_bytes: how large such a file may be.
        hubs: folders and addresses of hubs, asked in this order; see `storage.hub`.
        fetch_models: whether a statement may fetch a model of a hub that it names.
        tls: certificate chain and private key in PEM form, or None for plain gRPC.
        tls_client_ca: certificates in PEM form; clients must show one that is signed by
            one of them. None asks for none.
        limits: how much clients may ask for.
        memory_limit: bytes that all statements together may use before they spill.
        search_memory: bytes for columns of vectors that searches keep in memory.
        version_retention: hours for which replaced versions of tables are kept.
        threads: CPU threads for queries and for encoders.
        device: where encoders run unless a statement says; see `ml.placement`.
        precision: the numbers they compute with, likewise.
    """

    workspace: Path
    location: str = "grpc://127.0.0.1:0"
    token: str | None = field(default=None, repr=False)
    users: bytes | None = field(default=None, repr=False)
    signing_key: bytes | None = field(default=None, repr=False)
    allowed_paths: tuple[Path, ...] = ()
    mounts: tuple[tuple[str, Path], ...] = ()
    allowed_urls: tuple[str, ...] = ()
    max_fetched_bytes: int = FETCHED_BYTES
    hubs: tuple[str, ...] = ()
    fetch_models: bool = False
    tls: tuple[bytes, bytes] | None = field(default=None, repr=False)
    tls_client_ca: bytes | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    memory_limit: int = field(default_factory=lambda: _memory() // 2)
    search_memory: int = field(default_factory=lambda: _memory() // 8)
    version_retention: float = KEPT_HOURS
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    device: str = "auto"
    precision: str = "auto"
