"""Malformed messages: a few here, 20,000 in tests/compat/run_fuzz.py."""

from __future__ import annotations

from tests.fuzzing import fuzz

EXAMPLES = 150


def test_malformed_messages_get_clean_errors(fork_server, tmp_path):
    server = fork_server(tmp_path / "workspace")
    report = fuzz(server.location, server.token, EXAMPLES)
    assert report.unclean == []
    assert sum(report.answers.values()) >= EXAMPLES
    assert "Traceback" not in server.output
    with server.connect() as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
