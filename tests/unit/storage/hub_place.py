"""A workspace with hubs, and what the hubs of the tests hold."""

from __future__ import annotations

from thanosql_server.control import Control
from thanosql_server.storage.hub import Hubs
from thanosql_server.storage.hub_waiting import Patience
from thanosql_server.storage.models import ModelStore
from thanosql_server.storage.paths import PathPolicy
from thanosql_server.storage.scratch import Scratch

PATIENCE = Patience(first=60, silence=60, attempts=2, pause=0.01)
FILES = {"a.csv": b"a\n1\n", "pictures/1.jpg": b"one", "pictures/2.jpg": b""}


class Place:
    """A workspace with hubs."""

    def __init__(self, root, *locations, built_in=None, patience=PATIENCE):
        ours = root / ".thanosql"
        self.root = root
        self.downloads = ours / "downloads"
        self.scratch = Scratch(ours / "trash")
        self.models = ModelStore(ours / "models", self.scratch)
        self.hubs = Hubs(
            locations,
            self.downloads,
            self.scratch,
            PathPolicy(root),
            self.models,
            patience,
            built_in,
        )
        self.control = Control()

    def get(self, name, **options):
        offer = self.hubs.offers.find("datasets", name, self.control)
        overwrite = options.get("overwrite", False)
        self.hubs.get_dataset(offer, self.control, overwrite=overwrite)

    def get_model(self, name, local=None, **options):
        offer = self.hubs.offers.find("models", name, self.control)
        overwrite = options.get("overwrite", False)
        place = options.get("place")
        self.hubs.get_model(
            offer, local or name, self.control, overwrite=overwrite, place=place
        )

    def content(self, name):
        folder = self.root / "thanosql-dataset" / name
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    def left_over(self):
        return list(self.downloads.iterdir())


def write_files(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
