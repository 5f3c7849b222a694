"""pandas' own tests of SQL, with ThanoSQL as their database.

    python tests/compat/run_pandas.py [pytest's arguments ...]

Ends with status 1 if a test fails that does not need another database's feature; see
`pandas_engine.OTHERS` for those that do.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from environments import bar, environment, run, serving  # noqa: E402

NEEDED = ["pandas>=3.1,<3.2", "sqlalchemy>=2.1,<2.2", "pytest>=8.3", "hypothesis>=6"]


def main(arguments: list[str]) -> int:
    python = environment("pandas", NEEDED)
    with serving() as (url, _), tempfile.TemporaryDirectory() as folder:
        os.environ["THANOSQL_URL"] = url
        os.environ["PYTHONPATH"] = str(HERE)
        command = [
            *(python, "-m", "pytest", "-p", "pandas_engine", "-p", "no:cacheprovider"),
            *("-c", os.devnull, "--rootdir", folder, "-q", "-rfEx", "--tb=short"),
            *("--pyargs", "pandas.tests.io.test_sql", "-k", "thanosql", *arguments),
        ]
        output = run(command, Path(folder))
    counts = {
        word: int(found[1]) if (found := re.search(rf"(\d+) {word}", output)) else 0
        for word in ("passed", "failed", "error", "xfailed", "skipped")
    }
    print("pandas:", ", ".join(f"{number} {word}" for word, number in counts.items()))
    met = bar("pandas-failures", counts["failed"] + counts["error"], at_most=0)
    return 0 if bar("pandas-passed", counts["passed"], at_least=400) and met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
