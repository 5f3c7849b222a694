"""SQLAlchemy's own tests for dialects, every one of them; see `requirements`."""

from sqlalchemy.testing.suite import *
