"""What COPY ... FROM reads: a file, several, or the pictures of a folder."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from thanosql_server.errors import InvalidStatement
from thanosql_server.storage.file_sets import files_of_folder, require_one_kind
from thanosql_server.storage.globs import Found, is_glob, matching_files
from thanosql_server.storage.importers import list_images, read_file
from thanosql_server.storage.remote_files import is_remote, require_listable
from thanosql_server.storage.several_files import read_files
from thanosql_server.storage.source_file import SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    import pyarrow as pa

    from thanosql_server.control import Control
    from thanosql_server.sql.options import Options
    from thanosql_server.storage.workspace import Workspace

    Read = Callable[[], pa.RecordBatchReader]

SOURCE_OPTIONS = ("encoding", "file_type", "sheet", "filename", "union_by_name")

_OF_FILES = ("filename", "union_by_name")
_NAME = "filename"


class CopySource:
    """The path behind FROM, and the options that say how to read what is there.

    Args:
        workspace: where it lies.
        shown: the path as the user wrote it.
        options: of the statement.
    """

    def __init__(self, workspace: Workspace, shown: str, options: Options) -> None:
        self._paths = workspace.paths
        self._remote = workspace.remote
        self._shown = shown
        self._options = options
        self._named = options.flag(_NAME)
        self._union = options.flag("union_by_name")

    def require(self) -> None:
        """Refuse at once an address that may not be read.

        Raises:
            PermissionDenied: it lies below none that the server was given.
            NotSupported: it is a pattern, and no server lists what matches.
        """
        if is_remote(self._shown):
            self._remote.require(self._shown)
            require_listable(self._shown)

    def open(self, kept: ExitStack, control: Control) -> Read:
        """Find the files, and return what reads them; fetched ones end with `kept`.

        Raises:
            UndefinedFile: there is none.
            PermissionDenied: one may not be read.
            InvalidStatement: an option is not for what is there.
            InvalidValue: the files are of several kinds.
        """
        shown, paths = self._shown, self._paths
        if is_remote(shown):
            found = self._remote.fetched_files(shown, kept, control)
            return self._files(found, control)
        path = paths.resolve(shown)
        # A file may have such a name; os.path, since pathlib raises for long ones.
        if is_glob(shown) and not os.path.exists(path):
            return self._files(matching_files(shown, paths, control), control)
        if os.path.isdir(path):
            return self._folder(path, control)
        return self._files([Found(paths.existing_file(shown), shown)], control)

    def _folder(self, folder: Path, control: Control) -> Read:
        options, shown, paths = self._options, self._shown, self._paths
        extensions = options.texts("file_type") or None
        files = []
        if extensions is None:
            files = files_of_folder(folder, shown, paths, control)
        if files:
            return self._files(files, control)
        self._refuse_sheet()
        for name in _OF_FILES:
            if name in options:
                raise InvalidStatement(
                    f"option '{name}' is for files of rows, and COPY lists the "
                    f"pictures of '{shown}'",
                    position=options.position(name),
                )
        return partial(list_images, folder, shown, extensions, paths)

    def _files(self, files: list[Found], control: Control) -> Read:
        options = self._options
        are_listed = files[0].shown != self._shown
        if "file_type" in options:
            what = "several files" if are_listed else "a file"
            raise InvalidStatement(
                "option 'file_type' chooses pictures of a folder, and "
                f"'{self._shown}' is {what}",
                position=options.position("file_type"),
            )
        if are_listed:
            require_one_kind(self._shown, files)
        if files[0].path.suffix.lower() not in (".xlsx", ".xlsm"):
            self._refuse_sheet()
        encoding = options.text("encoding", "utf-8")
        source = SourceFile(*files[0], encoding, control, self._sheet())
        return partial(self._rows, files, source)

    def _rows(self, files: list[Found], source: SourceFile) -> pa.RecordBatchReader:
        if not self._named and len(files) == 1:
            return read_file(
                source.path,
                source.shown,
                encoding=source.encoding,
                sheet=source.sheet,
                control=source.control,
            )
        name = _NAME if self._named else None
        return read_files(files, source, union_by_name=self._union, name_column=name)

    def _sheet(self) -> str | int | None:
        sheet = self._options.get("sheet")
        if isinstance(sheet, bool) or not isinstance(sheet, (str, int, type(None))):
            raise self._options.invalid(
                "sheet", "the name of a sheet in quotes, or its number"
            )
        return sheet

    def _refuse_sheet(self) -> None:
        if "sheet" in self._options:
            raise InvalidStatement(
                f"option 'sheet' chooses a sheet of an Excel file, and '{self._shown}' "
                "is none",
                position=self._options.position("sheet"),
            )
