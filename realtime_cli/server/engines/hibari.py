"""Speech by hibari (Apache-2.0): English, 24 kHz, fifty times faster than it is spoken, on one thread.

The package holds one voice. Scaled to other pitches it stays well understood: Whisper tiny.en gets 1.2-1.8 % of the
words wrong for any factor from 0.6 to 1.4.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from hibari import Hibari, dsp

from realtime_cli.server.engines.pitches import VOICES, pitch

if TYPE_CHECKING:
    import numpy.typing as npt

SLOWEST, FASTEST = 0.25, 1.5
"""The protocol's range of ``speed``."""

SEED = 0
"""Of the breathy part of the voice: the same sentence always sounds the same."""

LONG_NUMBER = re.compile(r"\d{13,}")
"""Numbers this long are read digit by digit; hibari 0.2.1 raises ``IndexError`` beyond its largest number word."""


class HibariSpeech:
    """Speaks one sentence after the other; calls from several threads do not disturb each other."""

    serial = True
    voices: Sequence[str] = VOICES

    def __init__(self) -> None:
        """Load the network and the dictionary (about 0.6 s, blocks)."""
        self._engine: Any = Hibari(threads=1)
        # The dictionary is loaded by the first sentence.
        for _ in self.synthesize("Hi.", self.voices[0], 1.0, lambda: False):
            pass

    def synthesize(
        self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]
    ) -> Iterator[npt.NDArray[np.int16]]:
        """Speak ``text``; see the interface. Nothing comes of what is not English (emoji, Chinese).

        Blocks about 25 ms for a sentence.
        """
        factor = pitch(voice)
        pace = min(max(speed, SLOWEST), FASTEST)
        noise = np.random.default_rng(SEED)
        for phonemes in self._engine.phonemize(speakable(text)):
            if cancelled():
                return
            yield self._speak(phonemes, factor, pace, noise)

    def _speak(self, phonemes: str, factor: float, pace: float, noise: np.random.Generator) -> npt.NDArray[np.int16]:
        """One sentence; the same as ``Hibari.from_ids`` but for the pitch."""
        inputs = {
            "ids": np.asarray([self._engine.ids(phonemes)], np.int64),
            "speed": np.asarray([pace], np.float32),
        }
        *spectrum, f0 = (output[0] for output in self._engine.sess.run(None, inputs))
        wave: npt.NDArray[np.float32] = dsp.synth(*spectrum, f0 * np.float32(factor), noise)
        return (np.clip(wave, -1.0, 1.0) * 32767.0).astype(np.int16)


def speakable(text: str) -> str:
    """``text`` without what hibari reads badly or not at all: endless numbers, digits in circles."""
    plain = "".join(_plain_digit(char) for char in text)
    return LONG_NUMBER.sub(lambda number: " ".join(number.group()), plain)


def _plain_digit(char: str) -> str:
    """An ordinary digit for "①" and the like, which Python's ``isdigit`` takes for one and ``int`` does not."""
    return f" {unicodedata.digit(char)} " if char.isdigit() and not char.isdecimal() and char not in "¹²³" else char
