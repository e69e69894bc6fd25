"""Speech in other languages than English by espeak-ng, where it is installed.

It is GPL, and so a program of its own: text goes in on its standard input, sound comes out as a WAV file.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import soxr

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.errors import TurnError
from realtime_cli.server.engines.pitches import pitch

if TYPE_CHECKING:
    import numpy.typing as npt

PROGRAM = "espeak-ng"
VOICE_OF = {"zh": "cmn", "fr": "fr-fr", "en": "en-us"}
"""Where espeak-ng calls a language otherwise than ISO 639-1 does."""

WORDS_A_MINUTE = 165
PITCH = 50
"""Its defaults are 175 and 50, of 0 to 99; a little slower it is easier to follow."""

LOOK_S = 0.05
LONGEST_S = 30.0
"""A sentence takes some ten milliseconds: a program that takes longer than this has hung."""


@cache
def spoken_languages() -> frozenset[str]:
    """What the installed program speaks, as ISO 639-1; nothing when it is not there. Blocks 20 ms the first time."""
    if shutil.which(PROGRAM) is None:
        return frozenset()
    try:
        made = subprocess.run(  # noqa: S603 -- a fixed command
            [PROGRAM, "--voices"],
            capture_output=True,
            timeout=LONGEST_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    rows = made.stdout.decode("utf-8", "replace").splitlines()[1:]
    names = {row.split()[1] for row in rows if len(row.split()) > 1}
    ours = {theirs: ours for ours, theirs in VOICE_OF.items()}
    return frozenset(ours.get(name, name.partition("-")[0]) for name in names)


def speak(
    text: str, language: str, voice: str, speed: float, cancelled: Callable[[], bool]
) -> Iterator[npt.NDArray[np.int16]]:
    """Speak ``text`` in one of :func:`spoken_languages`: int16, shape ``(frames,)``, 24 kHz.

    Blocks for some ten milliseconds, and ends the program within 50 ms of ``cancelled()``. Raises TurnError.
    """
    words = round(WORDS_A_MINUTE * speed)
    height = max(0, min(99, round(PITCH * pitch(voice))))
    name = VOICE_OF.get(language, language)
    command = [PROGRAM, "-v", name, "-s", str(words), "-p", str(height), "-b", "1", "--stdin", "--stdout"]
    try:
        program = subprocess.Popen(  # noqa: S603 -- the text is no part of the command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise TurnError(f"{PROGRAM} cannot be started ({error.strerror or error})") from error
    sound = _sound(program, text.encode(), cancelled)
    if sound is not None:
        frames = _frames(sound)
        if len(frames):
            yield frames


def _sound(program: subprocess.Popen[bytes], text: bytes, cancelled: Callable[[], bool]) -> bytes | None:
    """What the program makes of the text; None when it is not wanted any more."""
    waited_s = 0.0
    pending: bytes | None = text
    with program:
        try:
            while not cancelled() and waited_s < LONGEST_S:
                with suppress(subprocess.TimeoutExpired):
                    return program.communicate(pending, timeout=LOOK_S)[0]
                # What was not written yet is remembered by communicate itself.
                pending = None
                waited_s += LOOK_S
        finally:
            if program.poll() is None:
                program.kill()
    if cancelled():
        return None
    raise TurnError(f"{PROGRAM} does not come to an end")


def _frames(sound: bytes) -> npt.NDArray[np.int16]:
    try:
        with wave.open(io.BytesIO(sound)) as file:
            rate_hz = file.getframerate()
            # On a pipe the header cannot say how long the file is going to be.
            samples = np.frombuffer(file.readframes(len(sound)), "<i2")
    except (wave.Error, EOFError) as error:
        raise TurnError(f"{PROGRAM} made no sound") from error
    resampled: npt.NDArray[np.int16] = soxr.resample(samples, rate_hz, RATE_HZ).astype(np.int16)
    return resampled
