"""``realtime-cli sessions``: saved conversations, to find, read, take elsewhere, and delete."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, get_args

import msgspec

from realtime_cli.cli.tables import print_table
from realtime_cli.errors import InputError
from realtime_cli.journal.entries import Conversation, NotAConversation, read
from realtime_cli.journal.export import ExportFormat, exported, transcript
from realtime_cli.journal.folder import RECORDING, Folder, id_of
from realtime_cli.journal.index import Index, Match, Sum, Summary
from realtime_cli.printable import clock, json_line, one_line
from realtime_cli.providers.prices import dollars
from realtime_cli.result_file import write_whole
from realtime_cli.settings.folders import data_folder
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.view.screen import is_screen

COPIED_BYTES = 1 << 20
"""So much of a recording is copied at a time."""

_DAYS = re.compile(r"(\d{1,4})d")


def show_list(settings: Settings, environment: Environment, *, since: str | None, limit: int) -> int:
    """Print the conversations, the newest first. Raises InputError."""
    with _readable():
        found = Index(saved_in(environment)).conversations(_day(since), _provider(settings))
    shown = found[:limit] if limit else found
    if settings.json:
        _print_json("conversation", shown)
    else:
        titles = ("id", "when", "length", "turns", "cost", "said first")
        print_table(titles, map(_row, shown), expendable=("cost", "turns", "length"))
        if len(shown) < len(found):
            sys.stderr.write(f"{len(found) - len(shown)} older ones: --limit 0\n")
    return 0


def search(settings: Settings, environment: Environment, *, words: list[str], limit: int) -> int:
    """Print the lines in which all words stand, with the time and the conversation; exit 1 if there are none."""
    with _readable():
        found = Index(saved_in(environment)).search(words, limit or -1)
    if settings.json:
        for match in found:
            about = {"id": match.conversation.id, "at": match.conversation.at}
            _print_line({"type": "match", **about, "t": match.t, "who": match.who, "text": match.text})
    else:
        print_table(("id", "when", "at", "who", "line"), map(_match_row, found), expendable=("when", "at"))
    return 0 if found else 1


def show(settings: Settings, environment: Environment, *, name: str) -> int:
    """Print a conversation as it was on the screen. Raises InputError."""
    conversation = opened(environment, name)
    if settings.json:
        sys.stdout.write(exported(conversation, "json"))
        return 0
    header = conversation.header
    about = (f"{header.at.astimezone():%Y-%m-%d %H:%M}", header.provider, conversation.model)
    sys.stderr.write(" · ".join(one_line(each) for each in (header.id, *about) if each) + "\n")
    fold = on_screen(settings, environment)
    sys.stdout.writelines(f"{row}\n" for line in transcript(conversation) for row in fold(line))
    return 0


def on_screen(settings: Settings, environment: Environment) -> Callable[[str], list[str]]:
    """What makes rows of a line: as in the live view on a terminal, and elsewhere the line itself."""
    if not is_screen(sys.stdout, environment):
        return lambda line: [line]
    from realtime_cli.view.right_to_left import orders  # wcwidth: for terminals only
    from realtime_cli.view.saved_lines import folded

    width, in_order = shutil.get_terminal_size().columns - 1, orders(settings.bidi, environment)
    return lambda line: folded(line, width, orders=in_order)


def export(
    settings: Settings,  # noqa: ARG001 -- every command gets them
    environment: Environment,
    *,
    name: str,
    form: str,
    output: Path | None,
) -> int:
    """Write a conversation to ``output`` or stdout, in ``form`` or what the file's name ends in. Raises InputError."""
    chosen = _format(form, output)
    conversation = opened(environment, name)
    if chosen == "wav":
        _write_sound(recording_of(conversation), output)
        return 0
    text = exported(conversation, chosen)
    if output is None:
        sys.stdout.write(text)
        return 0
    write_whole(output, (text.encode(),))
    return 0


def delete(settings: Settings, environment: Environment, *, names: list[str], yes: bool) -> int:
    """Remove conversations and their recordings, after asking on a terminal. Raises InputError."""
    folder = saved_in(environment)
    paths = list(dict.fromkeys(folder.find(name) for name in names))
    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise InputError("nobody can be asked here whether to delete them", "add --yes")
        for path in paths:
            sys.stderr.write(f"{_about(path)}\n")
        sys.stderr.write(f"delete {'it' if len(paths) == 1 else f'these {len(paths)}'}? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 1
    for path in paths:
        try:
            folder.delete(path)
        except OSError as error:
            raise InputError(f"cannot delete {path}", error.strerror or str(error)) from error
        if settings.json:
            _print_line({"type": "deleted", "id": id_of(path)})
    return 0


def stats(settings: Settings, environment: Environment, *, since: str | None) -> int:
    """Print minutes, turns, tokens and money by day and model, and their sums. Raises InputError."""
    with _readable():
        sums = Index(saved_in(environment)).sums(_day(since))
    if settings.json:
        _print_json("day", sums)
        return 0
    rows = [_sum_row(each) for each in sums]
    if len(rows) > 1:
        rows.append(_total_row(sums))
    titles = ("day", "model", "talks", "turns", "minutes", "tokens", "cost")
    print_table(titles, rows, expendable=("minutes", "talks", "turns", "tokens"))
    return 0


def opened(environment: Environment, name: str) -> Conversation:
    """The conversation that the user named. Raises InputError."""
    with _readable():
        path = saved_in(environment).find(name)
        try:
            return read(path)
        except NotAConversation as error:
            raise InputError(str(error), "delete it, or bring the program up to date") from error


def recording_of(conversation: Conversation) -> Path:
    """The file with its sound. Raises InputError where it was not recorded."""
    path = conversation.path.with_suffix(RECORDING)
    if not path.exists():
        raise InputError(f"{conversation.header.id} was not recorded", "record one with --record")
    return path


def saved_in(environment: Environment) -> Folder:
    """The folder of saved conversations."""
    return Folder(data_folder(environment))


@contextmanager
def _readable() -> Iterator[None]:
    """What the file system and the index refuse, as one line for the user."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read the saved conversations: {error}", "check who owns their folder") from error
    except sqlite3.Error as error:
        raise InputError(f"cannot make the index of saved conversations: {error}", "is the disk full?") from error


def _day(text: str | None) -> date | None:
    """``2026-11-26``, ``today``, ``yesterday`` or ``7d``. Raises InputError."""
    if text is None:
        return None
    today = date.today()
    if found := _DAYS.fullmatch(text):
        return today - timedelta(days=int(found[1]))
    words = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        return words[text] if text in words else date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--since {text!r} is no day", "write it like 2026-11-26, today, yesterday or 7d") from error


def _provider(settings: Settings) -> str | None:
    if settings.local:
        return "local"
    return None if settings.provider == "auto" else settings.provider


def _format(form: str, output: Path | None) -> ExportFormat:
    known = get_args(ExportFormat)
    wanted = form or (output.suffix[1:].lower() if output else "") or "md"
    if wanted not in known:
        raise InputError(f"there is no format {wanted!r}", f"choose {', '.join(known)}")
    form_: ExportFormat = msgspec.convert(wanted, ExportFormat)
    return form_


def _write_sound(recording: Path, output: Path | None) -> None:
    if output is None and sys.stdout.isatty():
        raise InputError("a recording is nothing for a terminal", "name a file: -o talk.wav")
    with recording.open("rb") as file:
        if output is None:
            shutil.copyfileobj(file, sys.stdout.buffer)
        else:
            write_whole(output, iter(partial(file.read, COPIED_BYTES), b""))


def _about(path: Path) -> str:
    try:
        conversation = read(path)
    except (OSError, NotAConversation):
        return id_of(path)
    first = next((one_line(entry.text) for entry in conversation.said if entry.text), "")
    return f"{id_of(path)}  {conversation.header.at.astimezone():%Y-%m-%d %H:%M}  {first[:60]}"


def _row(each: Summary) -> tuple[str, ...]:
    cost = "free" if each.usd == 0 and each.provider == "local" else dollars(each.usd)
    return (each.id, f"{each.at:%Y-%m-%d %H:%M}", clock(int(each.duration_s)), str(each.turns), cost, each.first_words)


def _match_row(match: Match) -> tuple[str, ...]:
    who = {"assistant": "ai"}.get(match.who, "you")
    return (match.conversation.id, f"{match.conversation.at:%Y-%m-%d}", clock(int(match.t)), who, match.text)


def _sum_row(each: Sum) -> tuple[str, ...]:
    model = each.model or each.provider
    counts = (str(each.conversations), str(each.turns), f"{each.minutes:.1f}", f"{each.tokens:,}")
    return (f"{each.day}", model, *counts, dollars(each.usd))


def _total_row(sums: Sequence[Sum]) -> tuple[str, ...]:
    known = sum(each.usd for each in sums if each.usd is not None)
    sign = "≥ " if any(each.usd is None for each in sums) else ""
    return (
        "all",
        "",
        str(sum(each.conversations for each in sums)),
        str(sum(each.turns for each in sums)),
        f"{sum(each.minutes for each in sums):.1f}",
        f"{sum(each.tokens for each in sums):,}",
        f"{sign}{dollars(known)}",
    )


def _print_json(kind: str, records: Iterable[msgspec.Struct]) -> None:
    for record in records:
        # Where the file is says the id.
        _print_line({"type": kind, **{k: v for k, v in msgspec.structs.asdict(record).items() if k != "path"}})


def _print_line(fields: dict[str, Any]) -> None:
    sys.stdout.write(json_line(fields) + "\n")
