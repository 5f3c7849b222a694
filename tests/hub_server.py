"""A web server for a folder that behaves, or breaks off, lies or says nothing."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Behaviour:
    """How the server treats a path; `requests` tells what it was asked.

    Attributes:
        breaks: path -> bytes after which each of the next answers breaks off.
        status: path -> statuses with which the next requests are answered.
        content: path -> bytes that are sent in place of the file's.
        silent: paths that are never answered.
        location: path -> address to which it leads.
        headers: path -> further headers of its answers.
        seconds: how long every answer takes.
        ranges: whether Range is honoured.
        requests: (path, Range or None) of every GET, in order.
        queries: path -> what came after `?`.
        tokens: path -> the Authorization of its last request, None without one.
    """

    def __init__(self, folder):
        self.folder = folder
        self.breaks = defaultdict(list)
        self.status = defaultdict(list)
        self.content = {}
        self.silent = set()
        self.location = {}
        self.headers = defaultdict(dict)
        self.seconds = 0
        self.ranges = True
        self.requests = []
        self.queries = {}
        self.tokens = {}
        self.closing = threading.Event()

    def asked(self, path):
        return [asked for name, asked in self.requests if name == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server.behaviour
        path, _, query = self.path.lstrip("/").partition("?")
        path = self.name = unquote(path)
        wanted = self.headers.get("Range")
        if self.command == "GET":
            server.requests.append((path, wanted))
        server.queries[path] = query
        server.tokens[path] = self.headers.get("Authorization")
        server.closing.wait(server.seconds)
        if path in server.silent:
            server.closing.wait()
        if path in server.location:
            return self._answer(302, b"", Location=server.location[path])
        if server.status[path]:
            return self._answer(server.status[path].pop(0), b"sorry")
        file = server.folder / path
        if not file.is_file():
            return self._answer(404, b"no such file")
        content = server.content.get(path, file.read_bytes())
        if not (wanted and server.ranges):
            return self._answer(200, content)
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            return self._answer(416, b"")
        place = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._answer(206, content[start:], **{"Content-Range": place})

    def _answer(self, status, content, **headers):
        self.send_response(status)
        server = self.server.behaviour
        for name, value in {**server.headers[self.name], **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        breaks = server.breaks[self.name]
        if breaks:
            self.wfile.write(content[: breaks.pop(0)])
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.wfile.write(content)


class HubServer:
    """A running server of a folder.

    Attributes:
        address: where it listens.
        behaviour: what it does to requests.
    """

    def __init__(self, folder):
        self.behaviour = Behaviour(folder)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.behaviour = self.behaviour
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self.behaviour.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
