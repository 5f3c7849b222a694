"""SQLAlchemy's own tests for dialects, every one of them; see `requirements`."""

import sqlalchemy
from requirements import CLOSED, NAMES, is_open
from sqlalchemy.testing import config, suite
from sqlalchemy.testing.suite import *  # noqa: F403


class LongNameBlowoutTest(suite.LongNameBlowoutTest):
    """As SQLAlchemy has it, but for the name of an index, which is not looked for."""

    def ix(self, metadata, connection):
        config.skip_test(CLOSED["index_reflection"])


if sqlalchemy.__version__.startswith("1.4."):
    # 1.4 looks for indexes whether the requirement is closed or not; 2.0 asks first.

    class ComponentReflectionTest(suite.ComponentReflectionTest):
        """As SQLAlchemy has it, but for indexes."""

        test_get_indexes = None

    class HasIndexTest(suite.HasIndexTest):
        """Nothing: all of it is about indexes."""

        test_has_index = None
        test_has_index_schema = None

    class QuotedNameArgumentTest(suite.QuotedNameArgumentTest):
        """As SQLAlchemy has it, but for indexes."""

        test_get_indexes = None


class RequirementsTest(fixtures.TestBase):  # noqa: F405
    def test_every_closed_requirement_has_its_reason(self):
        closed = {name for name in NAMES if not is_open(name)}
        assert closed == set(CLOSED) & set(NAMES), (
            sorted(closed - set(CLOSED)),
            sorted(set(CLOSED) & set(NAMES) - closed),
        )
        assert all(len(reason.split()) >= 4 for reason in CLOSED.values())
