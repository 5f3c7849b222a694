"""Where things are kept: tables, models, and the user's own files."""
