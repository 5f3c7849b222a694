"""Throw 20,000 malformed messages at a server; see tests/fuzzing.py."""

from __future__ import annotations

import sys

from surroundings import ROOT, running_server, verdict

sys.path.insert(0, str(ROOT))

import thanosql
from tests.fuzzing import fuzz

EXAMPLES = int(sys.argv[1]) if sys.argv[1:] else 20_000


def main():
    """Fuzz, and see whether the server still answers."""
    with running_server() as (location, token):
        report = fuzz(location, token, EXAMPLES)
        for answer, count in sorted(report.answers.items()):
            print(f"{count:>6} {answer}")
        for answer in report.unclean[:20]:
            print(f"unclean: {answer}")
        with thanosql.connect(location, token=token) as connection:
            cursor = connection.cursor()
            alive = cursor.execute("SELECT 1").fetchall() == [(1,)]
    if not alive or sum(report.answers.values()) < EXAMPLES:
        sys.exit("the server no longer answers")
    verdict("fuzz-unclean-answers", len(report.unclean), 0)


if __name__ == "__main__":
    main()
