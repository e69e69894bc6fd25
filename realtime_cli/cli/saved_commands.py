"""What the commands about saved conversations are called, take and say of themselves."""

from __future__ import annotations

import inspect
from pathlib import Path

from typer import Argument, Option

from realtime_cli.cli.command import REQUIRED, Command, own_flag, own_option


def _limit(default: int, help: str) -> inspect.Parameter:
    return own_option("limit", int, Option("--limit", "-n", help=help, metavar="N", min=0), default)


_NAME = own_option("name", str, Argument(help="The id, a unique beginning of it, or last", metavar="ID"), REQUIRED)

_SINCE = own_option(
    "since", str | None, Option("--since", help="Only those since this day: 2026-11-26, today, 7d", metavar="DAY")
)

SAVED_CONVERSATIONS = (
    Command(
        name="sessions list",
        help="List the saved conversations, the newest first.",
        examples=("sessions list", "sessions list --since 7d --provider openai"),
        own=(_SINCE, _limit(20, "Print so many at the most; 0: all")),
        also=("provider", "json", "debug"),
        runs="sessions.show_list",
    ),
    Command(
        name="sessions search",
        help="Find the lines in which all the words stand. Exit 1 if there are none.",
        examples=('sessions search "capital of France"', "sessions search paris --json"),
        own=(
            own_option("words", list[str], Argument(help="Words, in any order", metavar="WORDS..."), REQUIRED),
            _limit(100, "Print so many at the most; 0: all"),
        ),
        also=("json", "debug"),
    ),
    Command(
        name="sessions show",
        help="Print a conversation as it was on the screen.",
        examples=("sessions show last", "sessions show 3kf --json"),
        own=(_NAME,),
        also=("json", "debug"),
    ),
    Command(
        name="sessions export",
        help="Write a conversation in another form, to stdout or a file.",
        examples=(
            "sessions export last > talk.md",
            "sessions export 3kf -o talk.srt",
            "sessions export 3kf -o talk.wav",
        ),
        own=(
            _NAME,
            own_option(
                "form",
                str,
                Option("--format", help="md, json, txt, srt, vtt or wav", metavar="FORMAT", show_default=False),
                "",
            ),
            own_option("output", Path | None, Option("--output", "-o", help="Write it to this file", metavar="FILE")),
        ),
        also=("debug",),
    ),
    Command(
        name="sessions play",
        help="Play a recorded conversation, its lines running along.",
        examples=("sessions play last", "sessions play 3kf --from 1:30", 'sessions play 3kf --match "capital"'),
        own=(
            _NAME,
            own_option("start", str | None, Option("--from", help="Begin at this time: 90 or 1:30", metavar="TIME")),
            own_option("match", str | None, Option("--match", help="Begin where this was said", metavar="WORDS")),
        ),
        also=("speaker", "debug"),
        runs="playback.play",
    ),
    Command(
        name="sessions delete",
        help="Delete conversations and their recordings, after asking.",
        examples=("sessions delete last", "sessions delete 3kf 9m2 --yes"),
        own=(
            own_option(
                "names", list[str], Argument(help="Ids, or unique beginnings of them", metavar="ID..."), REQUIRED
            ),
            own_flag("yes", "--yes", "-y", help="Do not ask"),
        ),
        also=("json", "debug"),
    ),
    Command(
        name="sessions stats",
        help="Minutes, turns, tokens and money, by day and model.",
        examples=("sessions stats", "sessions stats --since 30d --json"),
        own=(_SINCE,),
        also=("json", "debug"),
    ),
)
"""In the order of the help."""
