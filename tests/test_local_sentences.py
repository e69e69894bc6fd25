"""Cutting a reply into pieces that can be spoken."""

from __future__ import annotations

import pytest

from realtime_cli.server.engines.sentences import FIRST_CHARS, LONGEST_CHARS, SentenceSplitter

RAMBLE = "so and then we went on and on and on without ever coming to any point whatsoever " * 5


def split(text: str, step: int = 3) -> list[str]:
    """The pieces of ``text`` when it comes a few letters at a time, like tokens."""
    splitter = SentenceSplitter()
    pieces = [piece for at in range(0, len(text), step) for piece in splitter.feed(text[at : at + step])]
    rest = splitter.flush()
    return pieces + ([rest] if rest else [])


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Yes. It is.", ["Yes. ", "It is."]),
        ("Really?! I see… Fine.", ["Really?! ", "I see… ", "Fine."]),
        ('He said "Stop." Then he left.', ['He said "Stop." ', "Then he left."]),
        ("Pi is 3.14 or so. Not more.", ["Pi is 3.14 or so. ", "Not more."]),
        ("Ask Mr. Smith. He knows.", ["Ask Mr. Smith. ", "He knows."]),
        ("Fruit, e.g. figs. Or J. S. Bach.", ["Fruit, e.g. figs. ", "Or J. S. Bach."]),
        ("1. Boil water. 2. Add tea.", ["1. Boil water. ", "2. Add tea."]),
        ("The answer is 4. Next one.", ["The answer is 4. ", "Next one."]),
        ("One line\nAnother line\n", ["One line\n", "Another line\n"]),
        ("no mark at all", ["no mark at all"]),
        ("", []),
    ],
)
def test_a_reply_is_cut_at_the_ends_of_its_sentences(text: str, pieces: list[str]) -> None:
    assert split(text) == pieces


def test_the_first_piece_may_be_a_clause_and_later_ones_not() -> None:
    text = "The capital of that country is Rome, as far as I know. The capital of this one is Paris, as far as I know."
    assert split(text) == [
        "The capital of that country is Rome, ",
        "as far as I know. ",
        "The capital of this one is Paris, as far as I know.",
    ]


def test_a_short_clause_is_not_worth_a_piece() -> None:
    assert split("Well, it depends.") == ["Well, it depends."]


def test_a_sentence_without_end_delays_nothing() -> None:
    pieces = split(RAMBLE)
    assert len(pieces[0]) <= FIRST_CHARS
    assert all(len(piece) <= LONGEST_CHARS for piece in pieces)
    assert all(piece.endswith(" ") for piece in pieces[:-1])


@pytest.mark.parametrize("text", [RAMBLE, "Yes. It is, and 3.14 is Mr. Pi!\n\n1. A.\n2. B. ", "x" * 1000, "   \n \n"])
@pytest.mark.parametrize("step", [1, 2, 7, 10_000])
def test_the_pieces_joined_are_the_text(text: str, step: int) -> None:
    assert "".join(split(text, step)) == text
