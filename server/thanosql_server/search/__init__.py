"""Vectors in, row numbers out. Knows nothing of SQL, models or files."""
