"""What a reply comes to: text, speech and function calls, as the facts that a connection is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from realtime_cli.errors import TurnError
from realtime_cli.server.core.effects import StartReply, Voice
from realtime_cli.server.core.facts import CallPiece, ReplyFinished, ReplyPiece
from realtime_cli.server.engines.interface import CallArguments, CallBegun, Ended, Message, Piece, Tools
from realtime_cli.server.engines.loading import Engines, Loaders
from realtime_cli.server.jobs import Made, ReplyJob
from realtime_cli.server.sharing import SharedEngines
from tests.local_engines import Audio, Beeper, LoudnessVad, SecondsHeard


class Scripted:
    """A language model that gives these pieces, and raises those that are errors."""

    def __init__(self, pieces: Sequence[Piece | Exception]) -> None:
        self._pieces = pieces

    def reply(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        """Nothing to read."""

    def close(self) -> None:
        """Nothing to free."""


def made(*pieces: Piece | Exception, voice: Voice | None = None, mouth: type[Beeper] = Beeper) -> list[Made]:
    """What the job posts for these pieces of the model."""
    posted: list[Made] = []
    loaders = Loaders(lambda: LoudnessVad, SecondsHeard, lambda: Scripted(pieces), mouth)
    with Engines(loaders) as engines:
        job = ReplyJob(SharedEngines(engines), StartReply("r", (), None, 100, voice), posted.append)
        try:
            job.run()
        except TurnError as error:
            job.failed(str(error))
    return posted


def outline(posted: list[Made]) -> list[Any]:
    """The words and calls alone."""
    return [
        made.text
        if isinstance(made, ReplyPiece)
        else (made.call_id, made.arguments)
        if isinstance(made, CallPiece)
        else type(made).__name__
        for made in posted
    ]


ALOUD = Voice("beep", 1.0, "audio/pcm")


def test_calls_follow_the_words_that_were_written_before_them() -> None:
    pieces = ["Let me ", "look.", CallBegun("c1", "look"), CallArguments('{"a":'), CallArguments("1}")]
    pieces += [CallBegun("c2", "wait"), CallArguments("{}")]
    calls = [("c1", ""), ("c1", '{"a":'), ("c1", "1}"), ("c2", ""), ("c2", "{}")]
    assert outline(made(*pieces)) == ["Let me ", "look.", *calls, "ReplyFinished"]
    assert outline(made(*pieces, voice=ALOUD)) == ["Let me look.", *calls, "ReplyFinished"]


def test_what_the_model_counted_is_told_at_the_end() -> None:
    counted = Ended(cut_off=True, read_tokens=12, cached_tokens=4, written_tokens=3)
    assert made("One ", "two ", counted)[-1] == ReplyFinished("r", True, counted)


@pytest.mark.parametrize("voice", [None, ALOUD])
def test_of_a_reply_that_fails_in_the_middle_of_a_sentence_its_beginning_is_given(voice: Voice | None) -> None:
    posted = made("It is ", "nearly ", TurnError("the line is dead"), voice=voice)
    assert "".join(piece.text for piece in posted if isinstance(piece, ReplyPiece)) == "It is nearly "
    assert outline(posted)[-1] == "ReplyFailed"


class Mute(Beeper):
    """Has no sound for what has no Latin letters."""

    def synthesize(self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        if text.isascii():
            yield from super().synthesize(text, voice, speed, cancelled)


class Stammerer(Beeper):
    """Makes two sounds of each sentence."""

    def synthesize(self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        yield from super().synthesize(text, voice, speed, cancelled)
        yield from super().synthesize(text, voice, speed, cancelled)


def test_a_sentence_that_comes_in_several_sounds_has_its_words_with_the_first() -> None:
    posted = made("Hello there.", voice=ALOUD, mouth=Stammerer)
    pieces = [piece for piece in posted if isinstance(piece, ReplyPiece)]
    assert [(piece.text, bool(piece.audio)) for piece in pieces] == [("Hello there.", True), ("", True)]


@pytest.mark.parametrize("words", ["🎉🎉", "你好。"])
def test_a_reply_without_any_sound_is_announced(words: str) -> None:
    pieces = [piece for piece in made(words, voice=ALOUD, mouth=Mute) if isinstance(piece, ReplyPiece)]
    assert [(piece.text, bool(piece.audio)) for piece in pieces] == [(words, False), ("", True)]


def test_marks_are_shown_and_not_said() -> None:
    (piece,) = [piece for piece in made("It is **very** cold.", voice=ALOUD) if isinstance(piece, ReplyPiece)]
    assert piece.text == "It is **very** cold."
    assert len(piece.audio) == 2 * 2400 * len("It is very cold.")


def test_a_reply_does_not_begin_with_white_space() -> None:
    assert outline(made("\n", " \n", " Well.")) == ["Well.", "ReplyFinished"]
