"""SQLAlchemy's dialect for ThanoSQL: ``create_engine("thanosql://...")``.

`dialect` connects and reflects, `compiler` spells SQL, `types` names types.
"""

from sqlalchemy_thanosql.dialect import ThanoSQLDialect

__all__ = ["ThanoSQLDialect"]
