"""The line that is typed where none is drawn: nothing but characters and line breaks."""

from __future__ import annotations

import pytest

from realtime_cli.controls import Controls
from realtime_cli.view.typed_echo import typed_echo


@pytest.mark.parametrize(
    ("before", "after", "written"),
    [
        (None, "h", "> h"),
        ("h", "he", "e"),
        ("he", "hexyz", "xyz"),
        ("helo", "hel", "\n> hel"),
        ("abc", "xabc", "\n> xabc"),
        ("hello", None, "\n"),
        (None, "", "> "),
        (None, None, ""),
        ("same", "same", ""),
    ],
)
def test_what_changes_in_the_line_is_written(before: str | None, after: str | None, written: str) -> None:
    assert typed_echo(Controls(typing=before), Controls(typing=after)) == written


def test_a_choice_is_written_before_the_line_and_the_list_of_keys_once() -> None:
    choice = Controls(typing="/m", candidates=("/mic ", "/mute"))
    assert typed_echo(Controls(typing="/"), choice) == "\n/mic   /mute\n> /m"
    assert typed_echo(choice, Controls(typing="/mu")) == "u"
    listed = typed_echo(Controls(), Controls(help=True))
    assert "close this list" in listed
    assert "\x1b" not in listed
    assert typed_echo(Controls(help=True), Controls()) == ""
