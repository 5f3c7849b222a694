"""Options and shared fixtures; what a fixture makes is real: files, servers, models."""

pytest_plugins = ["tests.fix_jupyter", "tests.fix_workspace"]
