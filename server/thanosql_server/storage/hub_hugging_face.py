"""Weights of a repository of Hugging Face: from its cache, or from its servers.

Settings mean what they mean to `huggingface_hub`: HF_ENDPOINT, HF_HUB_OFFLINE,
HF_TOKEN, HF_HOME, HF_HUB_CACHE, and the proxies of the environment. Its own download is
not used: open_clip lets it try for 47 seconds where there is no network, and nobody can
cancel it or see how far it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql_server.errors import HubUnreachable, InvalidData, ThanoSQLError
from thanosql_server.storage.hub_download import sha256_of
from thanosql_server.storage.hub_manifest import HubFile
from thanosql_server.storage.hub_reading import Broken, Missing, Refused
from thanosql_server.storage.hub_staging import collect, unreachable
from thanosql_server.storage.hub_waiting import called
from thanosql_server.storage.hub_web import HttpSource

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message

    from thanosql_server.storage.hub_staging import Fetching

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubWeights:
    """A checkpoint in a repository.

    Attributes:
        repo: the repository, such as `timm/vit_base_patch32_clip_224.openai`.
        names: files that hold the same weights; the first that is there is taken.
        revision: a branch, tag or commit.
    """

    repo: str
    names: tuple[str, ...]
    revision: str = "main"

    def fetch(self, fetching: Fetching) -> dict[str, Any]:
        """Put the checkpoint into `fetching.files`; see `hub_staging.staged`.

        Returns:
            Where it is from, for the model's `config.json`.
        """
        # A link to the cache may lead nowhere by now.
        _remove(file for file in fetching.files.iterdir() if file.is_symlink())
        from huggingface_hub import constants  # a second, on first use

        file = self._from_cache(fetching) or self._from_servers(fetching)
        _remove(one for one in fetching.files.iterdir() if one.name != file.path)
        return {
            "source": f"{constants.ENDPOINT}/{self.repo}",
            "file": file.path,
            "sha256": file.sha256,
            "licence": fetching.entry.licence,
        }

    def _from_cache(self, fetching: Fetching) -> HubFile | None:
        """Link to the copy that other programs have fetched, if there is one."""
        from huggingface_hub import try_to_load_from_cache

        for name in self.names:
            found = try_to_load_from_cache(self.repo, name, revision=self.revision)
            if not isinstance(found, str):
                continue
            path = Path(found).resolve()
            fetching.control.report("reading the cache of Hugging Face", 0)
            sha256 = sha256_of(path, fetching.control)
            # The cache calls large files by their hash.
            if _SHA256.fullmatch(path.name) and path.name != sha256:
                fetching.control.warn(
                    f"'{name}' in the cache of Hugging Face is damaged and was not used"
                )
                continue
            (fetching.files / name).symlink_to(path)
            return HubFile(name, sha256, path.stat().st_size)
        return None

    def _from_servers(self, fetching: Fetching) -> HubFile:
        """Download the first of the files that is there.

        Raises:
            ThanoSQLError: it cannot be had.
        """
        from huggingface_hub import constants, get_token

        words = fetching.entry.words
        if constants.HF_HUB_OFFLINE:
            raise HubUnreachable(
                f"the weights of {words} are not in the cache of Hugging Face, and "
                "HF_HUB_OFFLINE keeps this server from fetching them"
            )
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
        root = f"{constants.ENDPOINT}/{self.repo}/resolve"
        source = HttpSource(f"{root}/{self.revision}", token=token)
        name, headers = self._announced(fetching, source)
        file = _announced_file(name, headers, source)
        commit = headers.get("X-Repo-Commit", "")
        if _COMMIT.fullmatch(commit):
            # A branch may move on between the parts of a download.
            source = HttpSource(f"{root}/{commit}", token=token)
        collect(fetching, source, (file,), fetching.files)
        return file

    def _announced(self, fetching: Fetching, source: HttpSource) -> tuple[str, Message]:
        """Return the first of the files that is there, and what is said about it."""
        for name in self.names:
            ask = partial(source.headers, name)
            try:
                return name, called(ask, fetching.control, fetching.patience)
            except Missing:
                continue
            except (Refused, Broken) as failure:
                raise _refused(name, fetching, source, failure) from None
        raise _refused(self.names[0], fetching, source, Missing())


def _remove(files: Iterable[Path]) -> None:
    for file in list(files):
        file.unlink()


def _announced_file(name: str, headers: Message, source: HttpSource) -> HubFile:
    """Return what the answer to HEAD says; large files have their SHA-256 as ETag."""
    etag = headers.get("X-Linked-Etag") or headers.get("ETag") or ""
    sha256 = etag.removeprefix("W/").strip('"')
    size = headers.get("X-Linked-Size") or headers.get("Content-Length") or ""
    if not (_SHA256.fullmatch(sha256) and size.isdecimal()):
        raise InvalidData(
            f"{source.shown} does not state SHA-256 and size of '{name}', so that it "
            "cannot be checked; nothing was changed"
        )
    return HubFile(name, sha256, int(size))


def _refused(
    name: str, fetching: Fetching, source: HttpSource, failure: Exception
) -> ThanoSQLError:
    error = unreachable(f"'{name}' of {fetching.entry.words}", source, failure)
    if "status 401" in str(failure) or "status 403" in str(failure):
        error.message += "; look at the server's HF_TOKEN"
    return error
