"""The line that is typed where keys are read one by one and no line is drawn: ``--plain`` with push-to-talk. Pure.

There are no control codes: what is typed behind the line is written behind it, and after any other change the line is
written anew.
"""

from __future__ import annotations

from realtime_cli.controls import Controls
from realtime_cli.view.hints import help_rows
from realtime_cli.view.layout import plain

PROMPT = "> "

HELP_COLUMNS, HELP_ROWS = 79, 24


def typed_echo(before: Controls, after: Controls) -> str:
    """What is to be written after a key, line breaks included; nothing where it changed nothing that can be seen."""
    if after.help and not before.help:
        return "".join(f"{plain(row)}\n" for row in help_rows(after, HELP_COLUMNS, HELP_ROWS))
    if after.candidates and after.candidates != before.candidates:
        return "\n" + "  ".join(after.candidates) + f"\n{PROMPT}{after.typing or ''}"
    old, new = before.typing, after.typing
    if old == new:
        return ""
    if new is None:
        return "\n"
    if old is None:
        return PROMPT + new
    return new[len(old) :] if new.startswith(old) else f"\n{PROMPT}{new}"
