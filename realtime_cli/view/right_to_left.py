"""Right-to-left text in the order in which it is read, for terminals that put character after character.

The order is that of Unicode's bidirectional algorithm (https://www.unicode.org/reports/tr9/), by python-bidi. Terminals
that know it themselves are left to it; what they do is at https://terminal-wg.pages.freedesktop.org/bidi/.

A terminal that puts character after character does not join Arabic letters either, or joins them as if they stood from
left to right. So each is written in the form that it has in its word (Unicode's Arabic Presentation Forms, by
arabic-reshaper), which looks right in a cell of its own. Two letters never become one: the widths stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from itertools import groupby, takewhile
from typing import Any

from realtime_cli.settings.settings import Bidi
from realtime_cli.view.input_line import AT_CURSOR, InputLine
from realtime_cli.view.layout import Span, Spans, cells, clusters, plain, spans_cells
from realtime_cli.view.paragraph import Paragraph

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
"""Hebrew, Arabic, Syriac, Thaana and the like."""

ARABIC = re.compile("[\u0610-\u08ff\u200c\u200d]*[\u0620-\u06d5\u0750-\u077f\u08a0-\u08c7][\u0610-\u08ff\u200c\u200d]*")
"""A run of letters that have forms, and of the marks and (non-)joiners between them."""

STRONG = re.compile(rf"({RIGHT_TO_LEFT.pattern})|[^\W\d_]")
"""A character that says which way a paragraph goes: the first group, or a letter of the other way."""

FIRST_VTE_WITH_BIDI = 5800
"""0.58 (https://gitlab.gnome.org/GNOME/vte/-/releases), as VTE_VERSION has it."""


def orders(setting: Bidi, environ: Mapping[str, str]) -> bool:
    """Whether the program is to order the text of rows itself."""
    if setting != "auto":
        return setting == "on"
    vte = environ.get("VTE_VERSION", "")
    does_itself = (
        (vte.isdecimal() and int(vte) >= FIRST_VTE_WITH_BIDI)
        or "KONSOLE_VERSION" in environ
        or environ.get("TERM_PROGRAM") == "Apple_Terminal"
        or environ.get("TERM", "").startswith("mlterm")
    )
    return not does_itself


def is_right_to_left(text: str) -> bool:
    """Whether a paragraph goes from right to left: its first letter says so."""
    first = STRONG.search(text)
    return first is not None and first[1] is not None


def visual(row: Spans, *, leftwards: bool) -> Spans:
    """The row as it is seen from left to right. ``leftwards``: its paragraph goes from right to left."""
    if not RIGHT_TO_LEFT.search(plain(row)):
        return row
    items = _joined([(cluster, span.style) for span in row for cluster in clusters(span.text)])
    ordered = [items[at] if mirror is None else (mirror, items[at][1]) for at, mirror in _order(items, leftwards)]
    return [
        Span("".join(text for text, _ in same), style) for style, same in groupby(ordered, key=lambda item: item[1])
    ]


def ordered(paragraph: Paragraph, row: Spans) -> Spans:
    """One row of a paragraph as it is seen; its label, or the margin in the label's place, stays where it is."""
    begins = row[: len(paragraph.head)] == paragraph.head
    margin = bool(paragraph.head) and row[:1] != [] and row[0].text.isspace()
    head = len(paragraph.head) if begins else int(margin)
    return row[:head] + visual(row[head:], leftwards=is_right_to_left(plain(paragraph.body)))


def visual_input(line: InputLine) -> InputLine:
    """A line that is typed, with the cursor where its next character will be."""
    prompt, typed = line.row[:1], line.row[1:]
    leftwards = is_right_to_left(plain(typed))
    row = visual(typed, leftwards=leftwards)
    at_end = not any(span.style == AT_CURSOR for span in row)
    before = takewhile(lambda span: span.style != AT_CURSOR, row)
    cursor = 0 if at_end and leftwards else sum(cells(span.text) for span in before)
    return InputLine(prompt + row, spans_cells(prompt) + cursor)


def _joined(items: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each letter of the Arabic script in the form that it has between its neighbours."""
    shaped = ARABIC.sub(_in_forms, "".join(item[0] for item in items))
    joined, at = [], 0
    for cluster, style in items:
        joined.append((shaped[at : at + len(cluster)], style))
        at += len(cluster)
    return joined


def _in_forms(match: re.Match[str]) -> str:
    shaped = str(_shaper().reshape(match[0]))
    # Else it would not be known which letter became what.
    return shaped if len(shaped) == len(match[0]) else match[0]


@cache
def _shaper() -> Any:
    from arabic_reshaper import ArabicReshaper  # only where there is such text

    return ArabicReshaper(
        configuration={
            "delete_harakat": False,
            "delete_tatweel": False,
            "shift_harakat_position": False,
            "support_ligatures": False,
            "support_zwj": False,
            "use_unshaped_instead_of_isolated": True,
        }
    )


def _order(items: list[tuple[str, str]], leftwards: bool) -> list[tuple[int, str | None]]:
    """Which item comes when, and what it is mirrored to. A combining mark stays with its letter."""
    from bidi import algorithm  # only where there is such text

    storage = algorithm.get_empty_storage()
    storage["base_level"] = int(leftwards)
    storage["base_dir"] = "R" if leftwards else "L"
    algorithm.get_embedding_levels("".join(text[0] for text, _ in items), storage)
    for at, char in enumerate(storage["chars"]):
        char["at"], char["was"] = at, char["ch"]
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    algorithm.reorder_resolved_levels(storage, False)
    algorithm.apply_mirroring(storage, False)
    return [(char["at"], char["ch"] if char["ch"] != char["was"] else None) for char in storage["chars"]]
