from __future__ import annotations

import threading

import pytest

from thanosql_server.storage.folder_lock import FolderBusy, FolderGone, locked


def test_shared_locks_go_together_and_exclusive_ones_do_not(tmp_path):
    with (
        locked(tmp_path),
        locked(tmp_path),
        pytest.raises(FolderBusy),
        locked(tmp_path, exclusive=True, wait=False),
    ):
        pytest.fail("the lock was had")
    with (
        locked(tmp_path, exclusive=True, wait=False),
        pytest.raises(FolderBusy),
        locked(tmp_path, wait=False),
    ):
        pytest.fail("the lock was had")


def test_what_is_no_folder_is_gone(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("missing", "file"):
        with pytest.raises(FolderGone), locked(tmp_path / name):
            pytest.fail("the lock was had")


def test_folder_that_was_exchanged_while_waiting_is_gone(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    outcome = []

    def wait():
        try:
            with locked(folder):
                outcome.append("locked")
        except FolderGone:
            outcome.append("gone")

    waiter = threading.Thread(target=wait)
    with locked(folder, exclusive=True):
        waiter.start()
        waiter.join(0.3)
        folder.rename(tmp_path / "dropped")
    folder_after = tmp_path / "folder"
    folder_after.mkdir()
    waiter.join()
    assert outcome == ["gone"]
