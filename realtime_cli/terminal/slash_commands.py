"""Commands of a chat: lines that begin with ``/``. A table, to which whoever wires a conversation adds its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from realtime_cli.conversation import facts as f
from realtime_cli.errors import InputError

Run = Callable[[str], Iterable[f.Fact]]
"""Makes facts of the rest of the line. Keyboard thread; may block for the disk. Raises InputError."""

Values = Callable[[str], Iterable[str]]
"""What may stand where so much of the rest of the line stands. Keyboard thread."""

_WORD = re.compile(r"(?:\\ |\S)+")
"""A word; terminals put a backslash before blanks in the name of a file that is dropped onto them."""


class SlashCommand(msgspec.Struct, frozen=True, kw_only=True):
    """One command, as ``/help`` lists it."""

    name: str
    argument: str = ""
    help: str
    run: Run
    values: Values = lambda _begun: ()
    """For completion."""
    other_names: tuple[str, ...] = ()


class SlashCommands:
    """Finds, runs, completes and lists commands. Any thread, one at a time."""

    def __init__(self, commands: Iterable[SlashCommand] = ()) -> None:
        helping = SlashCommand(name="/help", help="list these commands", run=lambda _rest: self._listed())
        self._commands = [*commands, *STANDARD, helping]
        self._by_name = {name: each for each in self._commands for name in (each.name, *each.other_names)}

    def facts(self, line: str) -> Iterator[f.Fact]:
        """What the conversation is told of a line that begins with ``/``; the user, of one that cannot be run."""
        name, _, rest = line.strip().partition(" ")
        command = self._by_name.get(name.lower())
        if command is None:
            yield f.Noted(f"{name} is no command; /help lists them")
            return
        try:
            yield from command.run(rest.strip())
        except InputError as error:
            yield f.Noted(str(error))

    def complete(self, begun: str) -> tuple[str, ...]:
        """What a line that begins like this may become, in alphabetical order."""
        if not begun.startswith("/"):
            return ()
        name, blank, rest = begun.partition(" ")
        if not blank:
            found = (f"{each.name} " if each.argument else each.name for each in self._commands)
            return tuple(sorted(line for line in found if line.startswith(name.lower())))
        command = self._by_name.get(name.lower())
        if command is None:
            return ()
        return tuple(sorted(f"{name} {value}" for value in command.values(rest) if value.startswith(rest)))

    def _listed(self) -> Iterator[f.Fact]:
        usages = {f"{each.name} {each.argument}".strip(): each.help for each in self._commands}
        widest = max(map(len, usages))
        for usage, text in sorted(usages.items()):
            yield f.Noted(f"{usage:{widest}}  {text}")


def path_and_words(rest: str) -> tuple[Path, str]:
    """The file that a line begins with, and what follows it.

    A name in quotes ends with them. Else it is the longest beginning that is the name of a file here, so that names
    with blanks need no quotes; else the first word. Nothing else is special: ``C:\\pics\\a.png`` keeps its
    backslashes, and ``What's this?`` its apostrophe. Blocks for the disk. Raises InputError when there is none.
    """
    if "\0" in rest:
        raise InputError("that is no name of a file", "write it like: /image photo.jpg What is this?")
    if rest[:1] in ("'", '"') and (end := rest.find(rest[0], 1)) > 0:
        return _path(rest[1:end]), rest[end + 1 :].strip()
    ends = [match.end() for match in re.finditer(r"\S+", rest)]
    for end in reversed(ends):
        path = _path(rest[:end])
        if _is_file(path):
            return path, rest[end:].strip()
    word = _WORD.match(rest)
    if word is None:
        raise InputError("no file is named", "write it like: /image photo.jpg What is this?")
    return _path(word[0].replace("\\ ", " ")), rest[word.end() :].strip()


def _path(name: str) -> Path:
    # Unlike Path.expanduser this leaves the home of a user who does not exist as it is.
    return Path(os.path.expanduser(name))  # noqa: PTH111


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A name that is too long, or no name at all: then it is words.
        return False


def file_values(begun: str) -> Iterator[str]:
    """Names of files and folders that begin like this. Blocks for the disk."""
    folder, name = os.path.split(begun)
    try:
        entries = [entry for entry in os.scandir(_path(folder) if folder else ".") if entry.name.startswith(name)]
    except OSError:
        return
    for entry in entries:
        if name.startswith(".") or not entry.name.startswith("."):
            yield os.path.join(folder, entry.name) + ("/" if entry.is_dir() else "")  # noqa: PTH118 -- keeps ~ and ./


def _image(rest: str) -> Iterator[f.Fact]:
    from realtime_cli.images import image_part  # few need it

    path, words = path_and_words(rest)
    yield f.Typed(words, parts=(image_part(path),))


STANDARD = (
    SlashCommand(name="/quit", help="end", run=lambda _rest: [f.Quit()], other_names=("/exit", "/q")),
    SlashCommand(
        name="/image",
        argument="FILE [WORDS]",
        help="show a PNG or JPEG, and say something about it",
        run=_image,
        values=file_values,
    ),
)
"""What any conversation knows."""
