"""A home of its own for Jupyter."""

import pytest


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """Keep what Jupyter and IPython write, and what they read, in a folder."""
    home = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
            patch.setenv(f"JUPYTER_{name}", str(home / name.lower()))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        for name in ("THANOSQL_URL", "THANOSQL_TOKEN"):
            patch.delenv(name, raising=False)
        yield
