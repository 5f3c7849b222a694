"""Facts with fixed rules, so that a rewritten statement depends on its text only."""

from __future__ import annotations

from thanosql_server.sql.names import embedding_column, similarity_column
from thanosql_server.sql.nodes import Call
from thanosql_server.sql.rewriter import (
    CallFacts,
    ConvertFacts,
    PrintFacts,
    SearchFacts,
)


class Known:
    """Every model is a SimCLR; `bodies` keeps what was asked about."""

    def __init__(self):
        self.bodies = []
        self.keys = {}

    def search(self, clause, body):
        self.bodies.append(body)
        column = embedding_column(clause.model, "simclr")
        numbers = range(1, len(clause.items) + 1)
        return SearchFacts(
            column,
            tuple(f"similarity_{number}" for number in numbers),
            tuple(str(item.value) for item in clause.items),
            tuple(similarity_column(column, number) for number in numbers),
            is_sorted=clause.by_options,
            top_k=clause.options.integer("top_k", 1000) if clause.by_options else None,
        )

    def call(self, call):
        """Functions get a number by their key; constants become a label."""
        number = self.keys.setdefault(call.key, len(self.keys) + 1)
        return CallFacts(
            f"{call.function}_{number}",
            tuple(
                index if isinstance(one.value, (type(None), Call)) else str(one.value)
                for index, one in enumerate(call.arguments)
            ),
        )

    def convert(self, clause, body):
        self.bodies.append(body)
        if "stored" in clause.options:
            return "SELECT * FROM stored"
        name = embedding_column(clause.model, "simclr")
        column = clause.options.text("image_col", "image_path")
        return ConvertFacts("embed", column, name, replaces=f"{name}, " in body)

    def print_files(self, clause, body):
        self.bodies.append(body)
        return PrintFacts("image_path", "picture")

    def listing(self, clause):
        return f"SELECT name FROM {clause.kind.lower().replace(' ', '_')}s"
