"""The bundled voice, and espeak-ng's for what is not English, chosen by the language of each sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from realtime_cli.server.engines import espeak
from realtime_cli.server.engines.pitches import VOICES
from realtime_cli.server.engines.text_language import language_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from realtime_cli.server.engines.interface import TextToSpeech


class Voices:
    """A :class:`~realtime_cli.server.engines.interface.TextToSpeech` of two."""

    serial = True
    voices: Sequence[str] = VOICES

    def __init__(self, english: TextToSpeech) -> None:
        self._english = english

    def synthesize(
        self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]
    ) -> Iterator[npt.NDArray[np.int16]]:
        """Speak ``text``; without espeak-ng the English voice tries, which says nothing of other letters."""
        language = language_of(text)
        if language != "en" and language in espeak.spoken_languages():
            return espeak.speak(text, language, voice, speed, cancelled)
        return self._english.synthesize(text, voice, speed, cancelled)
