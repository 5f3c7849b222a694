"""The ThanoSQL server: an Arrow Flight SQL service on DataFusion, Lance and torch."""
