"""A file that the user named for a result: made when there is something to write, and not before.

What was there stays until then, also when nothing ever comes, and is replaced in one step by a file that has something
in it. A new file is its owner's alone, because it holds what was said; one that was there keeps its permissions.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from realtime_cli.errors import InputError


class ResultFile:
    """See the module. Not for several threads; every method may block for the disk, and raises InputError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    @property
    def begun(self) -> bool:
        """Whether something is written."""
        return self._file is not None

    def check(self) -> None:
        """Whether it could be written, as far as can be told without touching what is there."""
        try:
            if self.path.exists():
                if self.path.is_file() or self.path.is_dir():
                    self.path.open("r+b").close()
            elif not os.access(self.path.parent, os.W_OK | os.X_OK):
                # Makes the error that says what is in the way: no such folder, no folder, or no permission.
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR))
                self.path.unlink()
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def write(self, data: bytes, at: int | None = None) -> None:
        """Write at the end, or over what stands at a place; the first time this replaces what was there.

        When it returns the system has all of it, so that the end of this program loses nothing.
        """
        try:
            if self._file is None:
                self._file = self._begin(data)
                return
            if at is not None:
                self._file.seek(at)
            self._file.write(data)
            self._file.flush()
            if at is not None:
                self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Close it; may be called twice."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _begin(self, first: bytes) -> BinaryIO:
        file: BinaryIO
        if _is_stream(self.path):
            file = self.path.open("wb")
            file.write(first)
            file.flush()
            return file
        target = self.path.resolve()
        _replace(target, (first,))
        file = target.open("r+b")
        file.seek(0, os.SEEK_END)
        return file


def write_whole(path: Path, blocks: Iterable[bytes]) -> None:
    """Write a file in one step: what was there stays until all of it is written. Blocks; raises InputError."""
    try:
        if _is_stream(path):
            with path.open("wb") as file:
                file.writelines(blocks)
        else:
            _replace(path.resolve(), blocks)
    except OSError as error:
        raise _unwritable(path, error) from error


def _is_stream(path: Path) -> bool:
    """Whether it is something else than a file, such as a pipe or a terminal, and cannot be replaced."""
    return path.exists() and not path.is_file()


def _replace(target: Path, blocks: Iterable[bytes]) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else stat.S_IRUSR | stat.S_IWUSR
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
    except PermissionError:
        if not target.exists():
            raise
        # The file may be written though its folder may not.
        with target.open("r+b") as file:
            file.writelines(blocks)
            file.truncate()
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(blocks)
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}", error.strerror or str(error))
