"""Run dbapi20, the public-domain test of PEP 249 drivers, on ours.

It is one file of the distribution `dbapi-compliance` on PyPI, and runs as it is, in an
environment of its own with the light client. Two of its tests are there to be written
by drivers, `test_nextset` and `test_setoutputsize`; and it is told, as it provides for,
that there are no stored procedures.
"""

from __future__ import annotations

import subprocess
import sys
import unittest

TESTS = 36


def main():
    """Make the environment and a server, and run this file again in there."""
    from surroundings import ROOT, environment, running_server, verdict

    packages = ["dbapi-compliance==1.15.0", "pyarrow>=16.1", "protobuf>=4.25"]
    interpreter = environment("dbapi20", *packages)
    # From the sources: the environment is made once, and they change.
    paths = f"{ROOT / 'driver'}:{ROOT / 'proto'}"
    with running_server() as address:
        done = subprocess.run(
            [interpreter, __file__, *address],
            env={"PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            text=True,
        )
    print(done.stdout, end="")
    passed = done.stdout.rpartition("passed: ")[2].strip()
    verdict("dbapi20", int(passed) if passed.isdigit() else 0, TESTS, at_least=True)


def run_in_environment(location, token):
    """Run the tests against a server and print how many passed."""
    import dbapi20

    import thanosql

    class Compliance(dbapi20.DatabaseAPI20Test):
        driver = thanosql
        connect_args = (location,)
        connect_kw_args = {"token": token}  # noqa: RUF012 - the suite has it so
        lower_func = None

        def test_nextset(self):
            connection = self._connect()
            try:
                connection.cursor().nextset()
            except thanosql.NotSupportedError:
                pass
            else:
                self.fail("there is a second result set")
            finally:
                connection.close()

        def test_setoutputsize(self):
            connection = self._connect()
            try:
                cursor = connection.cursor()
                for size in ((1,), (2, 0)):
                    cursor.setoutputsize(*size)
                cursor.execute("SELECT 'more than that'")
                if cursor.fetchall() != [("more than that",)]:
                    self.fail("it takes a part of a text")
            finally:
                connection.close()

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Compliance)
    result = unittest.TextTestRunner(stream=sys.stdout).run(suite)
    wrong = len(result.failures) + len(result.errors) + len(result.skipped)
    print(f"passed: {result.testsRun - wrong}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_in_environment(*sys.argv[1:])
    else:
        main()
