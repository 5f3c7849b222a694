"""Starts servers by fork from one process that has imported everything already.

The imports of a server take seconds, those of training many more; a forked server
takes a tenth of a second and is a process of its own as any other. Reads one JSON
object per line: `{"start": [arguments], "log": path}` answers with the process id,
`{"wait": process id}` with the exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import sys
import warnings

import thanosql.cli
import thanosql_server.app
import thanosql_server.ml.simclr  # noqa: F401 - what BUILD and CONVERT import


def start(arguments, log):
    with warnings.catch_warnings():
        # Lance warns of a fork; it has not started anything here that could break.
        warnings.simplefilter("ignore")
        process = os.fork()
    if process:
        return process
    # Nothing may come back from here: this is the server.
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = thanosql.cli.main(["serve", *arguments])
        sys.stdout.flush()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 70
    os._exit(code)


def wait(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main():
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            answer = start(order["start"], order["log"])
        else:
            answer = wait(order["wait"])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
