"""Run the ADBC validation suite against a server of our own.

The suite (adbc-drivers/validation) and DataFusion's answers (adbc-drivers/datafusion)
are two repositories on GitHub, read from checkouts:

    python tests/compat/run_adbc_validation.py VALIDATION DATAFUSION

or in the environment as ADBC_VALIDATION and ADBC_DATAFUSION.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from surroundings import environment, python_of, running_server, skip, verdict

SUITE = Path(__file__).with_name("adbc_validation_suite.py")
PACKAGES = (
    "adbc-driver-flightsql>=1.12",
    "adbc-driver-manager>=1.12",
    "bidict",
    "duckdb",
    "jinja2",
    "plpygis",
    "pyarrow>=25,<26",
    "pydantic",
    "pytest>=9",
    "sqlglot",
    "whenever",
)

_NO_CODE = "pyarrow's server has no way to send ALREADY_EXISTS; the SQLSTATE says it"

EXPECTED = {
    "test_create_conflict[": _NO_CODE,
    "test_createappend_schema_mismatch[": _NO_CODE,
    "test_get_info[": "ADBC's wheel calls its version '(unknown or development build)'",
    "test_ingest_then_query[": (
        "ADBC's driver keeps what was bound for an ingestion, and wants to ingest again"
    ),
}
"""Parts of the names of tests that fail, and why."""


def main():
    """Run the suite and judge what failed."""
    given = dict(
        zip(("ADBC_VALIDATION", "ADBC_DATAFUSION"), sys.argv[1:], strict=False)
    )
    places = {**os.environ, **given}
    validation, datafusion = (
        _checkout(places, name, file)
        for name, file in (
            ("ADBC_VALIDATION", "adbc_drivers_validation/model.py"),
            ("ADBC_DATAFUSION", "validation/queries"),
        )
    )
    python = python_of(3, 13) or skip("the suite needs Python 3.13, which is not here")
    interpreter = environment("adbc-validation", *PACKAGES, python=python)
    with tempfile.TemporaryDirectory() as folder, running_server() as (location, token):
        report = Path(folder, "report.xml")
        settings = {
            "ADBC_DATAFUSION": str(datafusion),
            "HOME": str(Path.home()),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(validation),
            "THANOSQL_LOCATION": location,
            "THANOSQL_TOKEN": token,
            "THANOSQL_VERSION": version("thanosql-flight"),
        }
        options = ["--confcutdir", SUITE.parent, "--rootdir", SUITE.parent]
        options += ["-c", datafusion / "validation" / "pytest.ini"]
        options += ["-p", "adbc_drivers_validation.tests.conftest"]
        options += ["-p", "no:cacheprovider", "--import-mode=importlib", "-q"]
        options += ["--tb=line", "--junit-xml", report, SUITE]
        subprocess.run([interpreter, "-m", "pytest", *options], env=settings)
        outcomes = _outcomes(report)
    _judge(outcomes)


def _checkout(places, name, file):
    if not (place := places.get(name)):
        skip(f"{name} does not name a checkout of adbc-drivers/{name[5:].lower()}")
    if not Path(place, file).exists():
        sys.exit(f"{name} is '{place}', where there is no '{file}'")
    return Path(place).resolve()


def _outcomes(report):
    """Return the tests by what became of them."""
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        name = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
        failed = kinds & {"failure", "error"}
        outcomes[name] = (
            "failed" if failed else "skipped" if "skipped" in kinds else "passed"
        )
    return outcomes


def _judge(outcomes):
    failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
    reasons = {name: _reason(name) for name in failed}
    for reason, count in Counter(filter(None, reasons.values())).items():
        print(f"expected, {count}: {reason}")
    for name in outcomes:
        if outcomes[name] == "passed" and _reason(name):
            print(f"passes, although it was expected to fail: {name}")
    unexpected = [name for name, reason in reasons.items() if reason is None]
    for name in unexpected:
        print(f"unexpected: {name}")
    counts = Counter(outcomes.values())
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    if not counts["passed"]:
        sys.exit("not one test of the suite has passed")
    verdict("adbc-validation-failures", len(unexpected), 0)


def _reason(name):
    return next((why for part, why in EXPECTED.items() if part in name), None)


if __name__ == "__main__":
    main()
