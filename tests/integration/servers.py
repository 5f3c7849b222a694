"""Real servers for tests: processes started by the command line, or forked."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import thanosql

SERVE = "import sys; from thanosql.cli import main; sys.exit(main())"
NURSERY = Path(__file__).with_name("nursery.py")
PATIENCE = 120.0
"""Seconds after which a test gives up on another process."""


def wait_until(true, what="it"):
    """Return the first true value of `true()`."""
    deadline = time.monotonic() + PATIENCE
    while not (value := true()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {PATIENCE:.0f} s for {what}")
        time.sleep(0.01)
    return value


class Server:
    """A running server process.

    Attributes:
        output: what it has printed, logs included.
        location: where it listens, with the real port.
        token: what it printed, or None.
    """

    def __init__(self, pid, log, wait):
        self.pid = pid
        self._log = log
        self._wait = wait
        self._ended = False
        wait_until(self._is_up, "a server to listen")
        self.location = re.search(r"serves .* at (grpc\S+)\n", self.output)[1]
        printed = re.search(r"^token: (\S+)$", self.output, re.MULTILINE)
        self.token = printed and printed[1]

    @property
    def output(self):
        return self._log.read_text("utf-8") if self._log.exists() else ""

    def _is_up(self):
        text = self.output
        if "Traceback" in text or "thanosql serve: " in text:
            pytest.fail(f"the server did not start:\n{text}")
        # The token comes last, unless it or the users are in a file.
        return re.search(r" at grpc\S+\n", text) and (
            "token: " in text or re.search("--(token-file|users) ", self._arguments())
        )

    def _arguments(self):
        return self._log.with_suffix(".arguments").read_text("utf-8")

    def connect(self, **settings):
        settings = {"token": self.token} | settings
        return thanosql.connect(self.location, **settings)

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """End the process by SIGKILL and wait until it is gone."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def wait(self):
        """Return the exit code, negative for a signal."""
        self._ended = True
        return self._wait()

    def close(self):
        if not self._ended:
            self.kill()


class Servers:
    """Starts servers, and kills at the end what a test left."""

    def __init__(self, folder, start):
        self._folder = folder
        self._start = start
        self._numbers = itertools.count()
        self._started = []

    def __call__(self, workspace, *options):
        log = self._folder / f"server{next(self._numbers)}.log"
        arguments = ["--workspace", str(workspace), "--port", "0", *map(str, options)]
        log.with_suffix(".arguments").write_text(" ".join(arguments), "utf-8")
        server = Server(*self._start(arguments, log))
        self._started.append(server)
        return server

    def close(self):
        for server in self._started:
            server.close()


def spawn(arguments, log):
    """Start a server as a user does; return process id, log and how to wait."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, "serve", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    return process.pid, log, process.wait


class Nursery:
    """The process of nursery.py; see there."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, str(NURSERY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._process.stdout.readline() != "ready\n":
            pytest.fail("the nursery did not start")

    def fork(self, arguments, log):
        """Start a server; return process id, log and how to wait."""
        pid = self._order(start=arguments, log=str(log))
        return pid, log, lambda: self._order(wait=pid)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _order(self, **order):
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
