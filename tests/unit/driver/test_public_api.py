import datetime
import subprocess
import sys
import time

import pytest

import thanosql


def test_the_globals_of_pep_249_are_there():
    assert thanosql.apilevel == "2.0"
    assert thanosql.threadsafety == 2
    assert thanosql.paramstyle == "qmark"


def test_all_lists_every_public_name():
    assert sorted(thanosql.__all__, key=str) == sorted(set(thanosql.__all__))
    assert all(hasattr(thanosql, name) for name in thanosql.__all__)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ("Warning", Exception),
        ("Error", Exception),
        ("InterfaceError", thanosql.Error),
        ("DatabaseError", thanosql.Error),
        ("DataError", thanosql.DatabaseError),
        ("OperationalError", thanosql.DatabaseError),
        ("IntegrityError", thanosql.DatabaseError),
        ("InternalError", thanosql.DatabaseError),
        ("ProgrammingError", thanosql.DatabaseError),
        ("NotSupportedError", thanosql.DatabaseError),
    ],
)
def test_the_exceptions_form_the_tree_of_pep_249(child, parent):
    assert getattr(thanosql, child).__bases__ == (parent,)


def test_the_constructors_make_python_values():
    noon = time.mktime((2024, 2, 29, 12, 0, 0, 0, 0, -1))
    assert thanosql.Date(2024, 2, 29) == thanosql.DateFromTicks(noon)
    assert thanosql.TimeFromTicks(noon) == datetime.time(12)
    assert thanosql.TimestampFromTicks(noon) == thanosql.Timestamp(2024, 2, 29, 12)
    assert thanosql.Binary(b"ab") == b"ab"


def test_type_objects_can_be_keys():
    names = {thanosql.STRING: "text", thanosql.NUMBER: "number"}
    assert names[thanosql.NUMBER] == "number"
    assert repr(thanosql.NUMBER) == "thanosql.NUMBER"


def test_importing_the_driver_imports_nothing_heavy():
    heavy = "pandas polars torch datafusion lance sqlalchemy thanosql_server"
    script = (
        f"import sys, thanosql; print([m for m in {heavy.split()} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
