"""Where saved conversations are, what they are called, and how one is found again."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from realtime_cli.errors import InputError

SUFFIX = ".jsonl"

RECORDING = ".wav"
"""What a conversation's sound ends with; else it is called like it."""

LAST = "last"
"""What the newest conversation is called, besides its id."""

_ID_CHARS = "23456789abcdefghjkmnpqrstvwxyz"
"""Without those that are mistaken for each other when read aloud or typed."""

_ID_LENGTH = 6

NAMES_ONE = re.compile(rf"last|[2-9][{_ID_CHARS}]{{,{_ID_LENGTH - 1}}}", re.IGNORECASE)
"""What may name a conversation: an id begins with a digit, so that hardly a word of a sentence is taken for one."""


class Folder:
    """The folder of saved conversations: ``2026/11/26-093000-3kf9ab.jsonl`` and what belongs to it beside it.

    Only its owner may read in it. Every method may block for the file system, and may be called on any thread.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / "conversations"

    def new(self, at: datetime) -> tuple[str, Path]:
        """An id that no conversation has, and the path its file is to have. Makes the folders. Raises OSError."""
        folder = self.path / f"{at:%Y}" / f"{at:%m}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for each in (self.path, self.path.parent):
            # Made by mkdir with the mode of the umask, as it passes its own to the last folder only.
            each.chmod(0o700)
        while True:
            name = secrets.choice("23456789") + "".join(secrets.choice(_ID_CHARS) for _ in range(_ID_LENGTH - 1))
            if not self._named(name):
                return name, folder / f"{at:%d-%H%M%S}-{name}{SUFFIX}"

    def paths(self) -> list[Path]:
        """The files of all conversations, the oldest first."""
        # Only files: reading a named pipe would wait for its writer for ever.
        return sorted(path for path in self.path.glob(f"*/*/*{SUFFIX}") if path.is_file())

    def find(self, name: str) -> Path:
        """The conversation with this id or unique beginning of one, or the ``last``.

        Raises InputError where there is none, or more than one.
        """
        if name == LAST:
            paths = self.paths()
            if not paths:
                raise InputError("no conversation has been saved yet", "hold one: realtime-cli chat")
            return paths[-1]
        found = self._named(name)
        if not found:
            raise InputError(f"no saved conversation is called {name!r}", "see realtime-cli sessions list")
        if len(found) > 1:
            names = ", ".join(id_of(path) for path in found[:5])
            raise InputError(f"{name!r} could be {len(found)} conversations: {names}", "write more of the id")
        return found[0]

    def delete(self, path: Path) -> list[Path]:
        """Remove a conversation and what belongs to it; what was removed. Raises OSError."""
        own = sorted(each for each in path.parent.glob(f"{path.stem}.*") if each.is_file())
        for each in own:
            each.unlink()
        for empty in (path.parent, path.parent.parent):
            with suppress(OSError):
                empty.rmdir()
        return own

    def _named(self, beginning: str) -> list[Path]:
        if not beginning or not set(beginning.lower()) <= set(_ID_CHARS):
            return []
        return [path for path in self.paths() if id_of(path).startswith(beginning.lower())]


def id_of(path: Path) -> str:
    """The id in the name of a conversation's file."""
    return path.stem.rpartition("-")[2]
