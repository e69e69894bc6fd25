"""What is said to the server, with its words: sentences by four synthetic voices, and recordings of people.

The people are Debian's ``asterisk-core-sounds-en-g722``, installed or unpacked in the folder that is named; their words
are those of https://github.com/asterisk/asterisk/blob/master/sounds (core-sounds-en).
"""

from __future__ import annotations

import io
import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.server.engines.hibari import HibariSpeech

QUESTIONS = (
    "What is the capital of France?",
    "How many days are there in a week?",
    "Can you tell me something about the moon?",
    "What should I cook for dinner tonight?",
    "Why is the sky blue?",
    "Please count from one to five.",
    "What is your favourite colour?",
    "How do I make a good cup of coffee?",
    "Which animal is the largest on earth?",
    "Tell me a short story about a king.",
)
PEOPLE = {
    "conf-onlyone": "There is currently one other participant in the conference.",
    "conf-noempty": "No empty conferences currently exist.",
    "confbridge-begin-glorious-a": "The conference will begin when our glorious leader arrives.",
    "confbridge-pin-bad": "You have entered too many invalid personal identification numbers.",
    "demo-echodone": "The echo test has been completed.",
    "dir-nomore": "There are no more compatible entries in the directory.",
    "pls-hold-while-try": "Please hold while we try to connect you.",
    "privacy-prompt": "Please enter your phone number starting with the area code.",
    "something-terribly-wrong": "Something is terribly wrong.",
    "transfer": "Please hold while I try that extension.",
    "tt-monkeysintro": "They have been carried away by monkeys.",
    "vm-msgforwarded": "Your message has been successfully forwarded.",
    "vm-nobodyavail": "Nobody is available to take your call at the moment.",
    "vm-nonumber": "I'm afraid I don't know who sent this message.",
    "vm-tocallback": "Press two to call the person who sent this message.",
}
HUMAN = "/usr/share/asterisk/sounds/en_US_f_Allison"

ROOM = 3
"""Loudness of the room, of 32767: no microphone delivers zeros."""

QUIET = 300
"""Of 32767: what espeak-ng's voices end in is softer than that for some ten milliseconds."""

Samples = npt.NDArray[np.int16]
"""24 kHz, mono."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Something that somebody says."""

    who: str
    words: str
    sound: Samples


def spoken(text: str, voice: str = "en-us") -> Samples:
    """``text`` by espeak-ng, without the silence around it."""
    made = subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "--stdout", text], capture_output=True, check=True)
    frames, rate_hz = soundfile.read(io.BytesIO(made.stdout), dtype="float32")
    return trimmed((soxr.resample(frames, rate_hz, RATE_HZ) * 20_000).astype(np.int16))


def voices() -> dict[str, Callable[[str], Samples]]:
    """Four voices by their names."""
    speech = HibariSpeech()

    def hibari(text: str, voice: str) -> Samples:
        return trimmed(np.concatenate(list(speech.synthesize(text, voice, 1.0, lambda: False))))

    return {
        "espeak-ng us": spoken,
        "espeak-ng gb": lambda text: spoken(text, "en-gb"),
        "hibari marin": lambda text: hibari(text, "marin"),
        "hibari cedar": lambda text: hibari(text, "cedar"),
    }


def clips(folder: str, many: int) -> Sequence[Clip]:
    """So many turns: people's, where there are any in ``folder``, and the voices' in equal shares; always the same."""
    people = [
        Clip("people", words, trimmed(g722(path)))
        for name, words in PEOPLE.items()
        if (path := Path(folder, f"{name}.g722")).exists()
    ]
    synthetic = [Clip(name, text, say(text)) for name, say in voices().items() for text in QUESTIONS]
    shuffled = random.Random(1)
    shuffled.shuffle(synthetic)
    said = list(islice(cycle([*people, *synthetic]), many))
    shuffled.shuffle(said)
    return said


def in_a_room(sound: Samples) -> Samples:
    """With the noise of the room, the same every time."""
    return (sound + np.random.default_rng(0).normal(0, ROOM, len(sound))).astype(np.int16)


def trimmed(words: Samples) -> Samples:
    """Without the silence before and after them."""
    loud = np.flatnonzero(np.abs(words.astype(np.int32)) > QUIET)
    return words[loud[0] : loud[-1] + 1]


def g722(path: Path) -> Samples:
    """A recording of Asterisk's. Needs PyAV, which is optional."""
    import av

    with av.open(str(path), format="g722") as file:
        frames = np.concatenate([frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)])
    resampled: Samples = soxr.resample(frames, 16_000, RATE_HZ)
    return resampled
