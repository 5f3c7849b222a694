"""A server that plays the few endpoints of Hugging Face by which a file is fetched."""

from __future__ import annotations

import hashlib

from tests.hub_server import HubServer

REPO = "someone/model"
COMMIT = "0123456789abcdef" * 2 + "01234567"


class HuggingFace(HubServer):
    """Repositories that keep their files on a second host, as the real ones do."""

    @property
    def files_address(self):
        """The second host: the same server by another name."""
        return self.address.replace("127.0.0.1", "localhost")

    def add(self, name, content, sha256=None, repo=REPO):
        """Put a file into a repository; `sha256` is what is said of it."""
        stored = f"files/{name}"
        path = self.behaviour.folder / stored
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = sha256 or hashlib.sha256(content).hexdigest()
        for revision in ("main", COMMIT):
            resolve = f"{repo}/resolve/{revision}/{name}"
            self.behaviour.location[resolve] = f"{self.files_address}/{stored}"
            self.behaviour.headers[resolve] = {
                "X-Repo-Commit": COMMIT,
                "X-Linked-Size": str(len(content)),
                "X-Linked-Etag": f'"{digest}"',
            }


def use(monkeypatch, server, folder):
    """Make huggingface_hub speak to the server, with an empty cache in `folder`."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)


def put_into_cache(folder, name, content, repo=REPO, blob=None):
    """Lay a file into a cache as huggingface_hub does."""
    root = folder / f"models--{repo.replace('/', '--')}"
    blobs, snapshot = root / "blobs", root / "snapshots" / COMMIT
    for each in (blobs, snapshot, root / "refs"):
        each.mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(COMMIT)
    digest = blob or hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    (snapshot / name).symlink_to(blobs / digest)
