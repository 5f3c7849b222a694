"""SQLAlchemy's tests for dialects, under 2.1 and 1.4, against a server of ours.

    python tests/compat/run_sqlalchemy.py [2.1|1.4 [pytest's arguments ...]]

Makes an environment with the light client for each, starts a server on a fresh
workspace, and ends with status 1 if a bar is missed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from environments import bar, environment, run, serving

SUITE = Path(__file__).parent / "sqlalchemy_suite"
VERSIONS = {
    # With greenlet, which 2.1 brings no more: what is closed would differ without.
    "2.1": ["sqlalchemy[asyncio]>=2.1,<2.2", "pytest>=8.3"],
    # Its plugin for pytest is older than pytest 8.
    "1.4": ["sqlalchemy>=1.4.54,<2", "pytest>=7.4,<8"],
}
LEAST_PASSED = {"2.1": 600}


def suite(version: str, arguments: list[str]) -> bool:
    """Run the tests under one version; return whether its bars are met."""
    python = environment(f"sqlalchemy-{version}", VERSIONS[version])
    with serving() as (url, connection):
        connection.cursor().execute("CREATE SCHEMA test_schema")
        command = [
            *(python, "-m", "pytest", "-p", "sqlalchemy.testing.plugin.pytestplugin"),
            *("-p", "no:cacheprovider", "-c", "setup.cfg", "--dburi", url),
            *("-q", "-rfE", "--tb=short", "--maxfail=10000", "suite.py", *arguments),
        ]
        output = run(command, SUITE)
    counts = {
        word: int(found[1]) if (found := re.search(rf"(\d+) {word}", output)) else 0
        for word in ("passed", "failed", "error", "skipped")
    }
    print(f"sqlalchemy {version}:", ", ".join(f"{n} {w}" for w, n in counts.items()))
    broken = counts["failed"] + counts["error"]
    met = bar(f"sqlalchemy-{version}-failures", broken, at_most=0)
    least = LEAST_PASSED.get(version, 1)
    return bar(f"sqlalchemy-{version}-passed", counts["passed"], at_least=least) and met


def main(arguments: list[str]) -> int:
    versions = arguments[:1] or list(VERSIONS)
    met = [suite(one, arguments[1:]) for one in versions]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
