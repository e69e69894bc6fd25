"""Shows checks as they come: a line each for people, one JSON object a line for scripts."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Protocol

from realtime_cli.doctor.check import Check, Status
from realtime_cli.printable import json_line, one_line
from realtime_cli.protocol.redaction import redact

if TYPE_CHECKING:
    from rich.console import Console

_SIGNS = {Status.OK: ("✓", "ok", "green"), Status.WARN: ("!", "warn", "yellow"), Status.FAIL: ("✗", "FAIL", "bold red")}
"""The sign, the word where it cannot be shown, and the colour."""

_NAME_CHARS = 12
_LEAST_COLUMNS, _MOST_COLUMNS = 40, 100


class Report(Protocol):
    """Where the checks go."""

    def begin(self, doing: str) -> None:
        """Something that takes a moment begins."""

    def show(self, check: Check) -> None:
        """A check is done."""

    def end(self, exit_code: int) -> None:
        """All are done."""


def report_to(*, as_json: bool) -> Report:
    """The report on standard output."""
    if as_json:
        return JsonReport()
    from rich.console import Console

    return TextReport(Console(markup=False, highlight=False, emoji=False))


class JsonReport:
    """``{"type": "check", "name": …, "status": …, "finding": …, "fix": …}`` a line."""

    def begin(self, doing: str) -> None:
        """Nothing to tell."""

    def show(self, check: Check) -> None:
        """Write a line at once."""
        shown = {name: redact(text) for name, text in (("finding", check.finding), ("fix", check.fix))}
        line = {"type": "check", "name": check.name, "status": check.status.value, **shown}
        sys.stdout.write(json_line(line) + "\n")
        sys.stdout.flush()

    def end(self, exit_code: int) -> None:
        """The exit code says it."""


class TextReport:
    """A sign, a name, what was found, and what mends it; colours and wrapping on a terminal only."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._passing = False

    def begin(self, doing: str) -> None:
        """Say what is going on, where the line can be taken back."""
        if self._console.is_terminal:
            self._console.print(f"  {doing} …"[: self._console.width - 1], style="dim", end="\r", soft_wrap=True)
            self._passing = True

    def show(self, check: Check) -> None:
        """Print a check."""
        from rich.text import Text

        sign, word, style = _SIGNS[check.status]
        if self._console.encoding != "utf-8":
            sign = f"{word:4}"
        margin = len(sign) + 1 + _NAME_CHARS
        lines = self._fold(one_line(redact(f"{check.finding} -> {check.fix}" if check.fix else check.finding)), margin)
        text = Text.assemble((sign, style), self._showable(f" {check.name:{_NAME_CHARS}}" + "\n".join(lines)))
        self._clear()
        self._console.print(text, soft_wrap=True)

    def end(self, exit_code: int) -> None:
        """Say whether ``chat`` will work."""
        self._clear()
        verdict = "chat will not work: mend first what failed" if exit_code else "chat will work"
        self._console.print(verdict, style="bold", soft_wrap=True)

    def _fold(self, text: str, margin: int) -> list[str]:
        if not self._console.is_terminal:
            return [text]
        columns = max(_LEAST_COLUMNS, min(self._console.width, _MOST_COLUMNS)) - 1
        indent = " " * margin
        first, *rest = textwrap.wrap(
            text, columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
        return [first.lstrip(), *rest]

    def _showable(self, text: str) -> str:
        encoding = self._console.encoding
        return text.encode(encoding, "replace").decode(encoding)

    def _clear(self) -> None:
        if self._passing:
            self._passing = False
            self._console.print(" " * (self._console.width - 1), end="\r", soft_wrap=True)
