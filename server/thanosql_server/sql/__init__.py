"""The dialect: text in, nodes and plain SQL out; nothing is looked up or run here."""
