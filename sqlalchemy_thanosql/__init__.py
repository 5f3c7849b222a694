"""SQLAlchemy's dialect for ThanoSQL: ``create_engine("thanosql://...")``.

`dialect` connects, `reflection` looks at what is there, `compiler` and `ddl` spell SQL,
`types` and `search` are what ThanoSQL has and SQLAlchemy has not.
"""

from sqlalchemy_thanosql.ddl import NotEnforced
from sqlalchemy_thanosql.dialect import ThanoSQLDialect
from sqlalchemy_thanosql.search import search_image, search_text
from sqlalchemy_thanosql.types import Image, Vector

__all__ = [
    "Image",
    "NotEnforced",
    "ThanoSQLDialect",
    "Vector",
    "search_image",
    "search_text",
]
