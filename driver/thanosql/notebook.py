"""`%thanosql` and `%%thanosql` for IPython and Jupyter.

%load_ext thanosql                      offers them
%thanosql grpc://127.0.0.1:31337        connects to a server
%thanosql API_TOKEN=...                 and says with which token
%thanosql SELECT 1                      runs one line

%%thanosql -o frame                     runs a whole cell, here into a variable
SELECT ...

Without a server the notebook's folder becomes the workspace of one in this process.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote
from weakref import WeakKeyDictionary

from thanosql import conninfo, notebook_history, notebook_output
from thanosql.connection import Connection, connect
from thanosql.errors import Error, InterfaceError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas

    Raised = TypeVar("Raised", bound=BaseException)

HELP = (
    "give a statement, the address of a server or API_TOKEN=...; %thanosql? tells more"
)

_OPTION = re.compile(r"\s*(-o|--out|--conn)(?:=|\s+)(\S+)(?:\s+|$)")
_UNKNOWN_OPTION = re.compile(r"\s*(-\w\S*|--\w\S*)")
_TOKEN = re.compile(r"API_TOKEN\s*=\s*(.*)")
_URL = re.compile(r"[A-Za-z][A-Za-z+]*://\S+")
_FOLDER = re.compile(r"(?!/\*)[~.]{0,2}/\S*|\.{1,2}|~")


class Shell(Protocol):
    """What is used of IPython's InteractiveShell."""

    user_ns: dict[str, Any]
    history_manager: Any

    def register_magic_function(
        self, func: Callable[..., Any], magic_kind: str, magic_name: str
    ) -> None:
        """Make `func` a magic."""


@dataclass(frozen=True)
class Request:
    """What one magic asks for.

    Attributes:
        text: a statement, an address or a token.
        is_cell: whether the text is a whole cell, which can only be a statement.
        variable: the name that gets the rows as a data frame, None to show them.
        connection: a variable or address given by `--conn`, None for the usual one.
    """

    text: str
    is_cell: bool = False
    variable: str | None = None
    connection: str | None = None


def parse(line: str, cell: str | None = None) -> Request:
    """Take the options off a magic's line; the rest of it begins the statement.

    Raises:
        InterfaceError: an option is unknown or its value cannot be used.
    """
    found: dict[str, str] = {}
    while match := _OPTION.match(line):
        found["--conn" if match[1] == "--conn" else "-o"] = match[2]
        line = line[match.end() :]
    if match := _UNKNOWN_OPTION.match(line):
        raise InterfaceError(
            f"unknown option '{match[1]}', or one without its value; "
            "the options are -o NAME and --conn NAME_OR_ADDRESS"
        )
    variable = found.get("-o")
    if variable is not None and not variable.isidentifier():
        raise InterfaceError(f"-o needs the name of a variable, not '{variable}'")
    text = line.strip()
    if cell is not None:
        text = f"{text}\n{cell}" if text else cell
    return Request(text, cell is not None, variable, found.get("--conn"))


class Session:
    """What one notebook has told: server and token, and the connections opened.

    A connection is opened by the first statement that needs it, so that address and
    token may come in any order.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._target: str | None = None
        # The folder of the notebook: Jupyter starts kernels there.
        self._folder = os.getcwd()
        self._token: str | None = None
        self._connections: dict[str, Connection] = {}

    def magic(self, line: str, cell: str | None = None) -> pandas.DataFrame | None:
        """Run a statement of ThanoSQL, or name the server to run it.

        %thanosql SELECT * FROM t LIMIT 5   one line; `df = %thanosql SELECT ...` works
        %thanosql grpc://host:port          the server to use from here on
        %thanosql ./folder                  a workspace to serve in this process
        %thanosql API_TOKEN=...             the server's token; it is not shown

        %%thanosql [-o NAME] [--conn NAME_OR_ADDRESS]
        SELECT ...                          the whole cell is one statement

        -o NAME                  put the rows into a variable, as a data frame
        --conn NAME_OR_ADDRESS   use another server: a variable that holds a
                                 connection or an address, or the address itself

        Rows come back as a pandas data frame, PRINT shows pictures, and statements
        without rows say Success. Interrupting the cell cancels the statement.
        Without a server, the folder of the notebook is the workspace.
        """
        try:
            return self._run(parse(line, cell))
        except Error as error:
            raise _in_one_line(error, str(error)) from None
        except KeyboardInterrupt as interrupt:
            raise _in_one_line(interrupt, "the statement was cancelled") from None

    def close(self) -> None:
        """Close the connections that were opened here."""
        while self._connections:
            self._connections.popitem()[1].close()

    def _run(self, request: Request) -> pandas.DataFrame | None:
        text = request.text.strip()
        if not text:
            raise InterfaceError(HELP)
        if request.is_cell:
            return self._run_statement(request)
        if token := _TOKEN.fullmatch(text):
            self._set_token(token[1])
        elif _is_address(text):
            self._use(text)
        else:
            return self._run_statement(request)
        return None

    def _set_token(self, written: str) -> None:
        token = written.strip("'\"")
        if not token:
            raise InterfaceError("API_TOKEN= names no token")
        self._redact(token)
        self._token = token
        self.close()
        notebook_output.say("API token is set")

    def _use(self, target: str) -> None:
        """Connect now, so that a wrong address shows where it was written."""
        info = conninfo.parse(target, {}, environ={})
        if info.token:
            self._redact(info.token)
            self._redact(quote(info.token, safe=""))
        self._target = target
        self._connect(target)
        where = info.location or f"workspace {info.workspace}"
        notebook_output.say(f"Connected to {where}")

    def _redact(self, secret: str) -> None:
        shell = self._shell
        notebook_history.redact(shell.history_manager, shell.user_ns, secret)

    def _run_statement(self, request: Request) -> pandas.DataFrame | None:
        connection = self._connection(request.connection)
        frame = notebook_output.run(
            connection, request.text, keep=request.variable is not None
        )
        if request.variable is None:
            return frame
        self._shell.user_ns[request.variable] = frame
        return None

    def _connection(self, name: str | None) -> Connection:
        if name is None:
            return self._usual_connection()
        value = self._shell.user_ns.get(name, name)
        if isinstance(value, Connection):
            return value
        if isinstance(value, str) and _is_address(value):
            return self._connect(value)
        raise InterfaceError(
            f"--conn needs an address or a variable that holds one or a connection; "
            f"'{name}' is neither"
        )

    def _usual_connection(self) -> Connection:
        target = self._target or os.environ.get("THANOSQL_URL")
        if not target and self._folder not in self._connections:
            notebook_output.say("No server is named, so this folder is the workspace")
        return self._connect(target or self._folder)

    def _connect(self, target: str) -> Connection:
        if target not in self._connections:
            connection = connect(target, token=self._token_for(target))
            self._connections[target] = connection
        return self._connections[target]

    def _token_for(self, target: str) -> str | None:
        """Return the token of this notebook unless the address brings its own."""
        own = conninfo.parse(target, {}, environ={})
        return None if own.workspace is not None or own.token else self._token


def _is_address(text: str) -> bool:
    return bool(_URL.fullmatch(text) or _FOLDER.fullmatch(text))


def _in_one_line(error: Raised, message: str) -> Raised:
    """Make IPython show an exception without frames: none of them is the user's.

    IPython shows what `_render_traceback_` returns, if an exception has it.
    """
    line = f"{type(error).__name__}: {message}"
    vars(error)["_render_traceback_"] = lambda: [line]
    return error


_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def load(shell: Shell) -> None:
    """Offer the magics in a shell, anew if they are there.

    Raises:
        InterfaceError: pandas is not installed.
    """
    try:
        import pandas  # noqa: F401 - missing, it shall show here and not after a search
    except ImportError:
        error = InterfaceError(
            "the notebook shows rows with pandas, which is not installed; "
            "pip install 'thanosql-flight[notebook]'"
        )
        raise _in_one_line(error, str(error)) from None
    unload(shell)
    session = _sessions[shell] = Session(shell)
    shell.register_magic_function(session.magic, "line_cell", "thanosql")


def unload(shell: Shell) -> None:
    """Close what the magics of a shell have opened; they stay without a use."""
    session = _sessions.pop(shell, None)
    if session is not None:
        session.close()
