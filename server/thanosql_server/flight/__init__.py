"""The border to clients: Arrow Flight SQL in, statements of the engine out."""
