"""SQLAlchemy's own tests for dialects, every one of them; see `requirements`."""

from requirements import CLOSED, NAMES, is_open
from sqlalchemy.testing import config
from sqlalchemy.testing.suite import *  # noqa: F403
from sqlalchemy.testing.suite import LongNameBlowoutTest as _LongNameBlowoutTest


class LongNameBlowoutTest(_LongNameBlowoutTest):
    """As SQLAlchemy has it, but for the name of an index, which is not looked for."""

    def ix(self, metadata, connection):
        config.skip_test(CLOSED["index_reflection"])


class RequirementsTest(fixtures.TestBase):  # noqa: F405
    def test_every_closed_requirement_has_its_reason(self):
        closed = {name for name in NAMES if not is_open(name)}
        assert closed == set(CLOSED) & set(NAMES), (
            sorted(closed - set(CLOSED)),
            sorted(set(CLOSED) & set(NAMES) - closed),
        )
        assert all(len(reason.split()) >= 4 for reason in CLOSED.values())
