"""Whose a file is: what other users of this machine own or can write is not read, and what was said is its owner's."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from realtime_cli.errors import RealtimeError

MAX_BYTES = 1_000_000
"""More than any file of settings has."""

PRIVATE = 0o600
"""Read and written by its owner alone."""


class NotOurs(RealtimeError):
    """A file that is not read, because somebody else may have written it."""

    exit_code = 3


def read_own(path: Path) -> bytes:
    """What is in a file that nobody but its owner, who is the user or root, can change. Blocks.

    Raises NotOurs, and OSError for one that cannot be read. Windows has no such bits: there it is read as it is.
    """
    with path.open("rb") as file:
        if sys.platform != "win32":
            # The link, if it is one, may be somebody else's; of the file behind it, what is open is what counts.
            for status in (path.lstat(), os.fstat(file.fileno())):
                _check(path, status)
            for folder in {path.parent.resolve(), path.resolve().parent}:
                _check_folder(folder)
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NotOurs(f"{path} is larger than {MAX_BYTES // 1_000_000} MB", "is it the right file?")
    return data


def _check(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise NotOurs(f"{path} belongs to another user", "make it yours with chown, if you trust it")
    if not stat.S_ISLNK(status.st_mode) and _others_write(status):
        raise NotOurs(f"other users can write {path}", f"chmod go-w {path}, if you trust it")


def _check_folder(folder: Path) -> None:
    """Who can write a folder can put another file into the place of one; but not in those like /tmp (sticky)."""
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise NotOurs(f"{folder} belongs to another user", "make it yours with chown, if you trust it")
    if _others_write(status) and not status.st_mode & stat.S_ISVTX:
        raise NotOurs(f"other users can write {folder}", f"chmod go-w {folder}, if you trust what is in it")


def _others_write(status: os.stat_result) -> bool:
    """Whether anybody else can write it. A group in which nobody else is, as many systems give each user, is nobody."""
    return bool(status.st_mode & stat.S_IWOTH) or (bool(status.st_mode & stat.S_IWGRP) and not _is_own_group(status))


def _is_own_group(status: os.stat_result) -> bool:
    import grp  # not on Windows
    import pwd

    if status.st_gid == 0:
        return status.st_uid == 0
    try:
        group, user = grp.getgrgid(status.st_gid), pwd.getpwuid(status.st_uid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and user.pw_gid == group.gr_gid and set(group.gr_mem) <= {user.pw_name}
