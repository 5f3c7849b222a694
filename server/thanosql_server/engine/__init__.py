"""Statements in, Arrow batches out. The only layer that knows DataFusion."""
