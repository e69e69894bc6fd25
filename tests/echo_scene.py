"""A room with a loudspeaker, a microphone and a person, computed: faster than real time and the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, RATE_HZ
from realtime_cli.server.listening.endpointing import Endpointing, SpeechStarted
from realtime_cli.server.listening.input_audio import InputAudio
from tests.real_engines import sound
from tests.speech_sounds import VOICES, loudness, spoken

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]
Clean = Callable[[Samples, Samples], Samples]
"""What was played and what was heard in the same 20 ms, to what is sent."""

PATHS = ((-12, 80), (-6, 150))
"""Gain in dB and delay in ms of the two echoes that must be kept out."""

T60_S = 0.15
DIRECT_TO_REVERB_DB = 3.0
FULL_SCALE = 32768.0
NOISE_DBFS = -65.0

_REPLIES = """The old harbour lies an hour north of the city. Every morning the boats come back before the sun is
up. People say that the lighthouse was built by a man who had never seen the sea. He had read about
it in a book, and he wrote down what he thought a ship would need. Today three families live there,
and two of them still fish. In the winter the road is closed for weeks at a time. Then the post
comes by helicopter, if it comes at all. You can take the train to the last station and walk from
there. Bring good shoes, some water, and a little patience. To bake bread, you need flour, water,
salt and time. Mix them in a large bowl, and let the dough rest for an hour. Fold it four times, and
wait again. The oven should be as hot as it can be. Listen to the crust when it comes out: it sings.
Your meeting with Peter is at ten fifteen on Thursday. I have moved the call with the dentist to the
afternoon. There are seven unread messages, and none of them is urgent. Would you like me to read
the first one?"""

_INTERRUPTIONS = (
    "Wait, stop there for a moment please.",
    "No, that is not what I meant.",
    "Hold on, what about the second one?",
    "Excuse me, can you repeat that?",
    "Stop, I have another question.",
    "Actually, tell me about the weather.",
    "Okay thank you, that is enough.",
    "Sorry, could you speak more slowly?",
    "Hang on, my phone is ringing.",
    "Can we talk about something else?",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a loudspeaker plays and a microphone hears meanwhile, and when the person speaks (from, to, in seconds)."""

    played: Samples
    heard: Samples
    spoken: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the server made of it: how many ms after its onset it noticed each interruption (None: not), and when it
    took something else for speech."""

    noticed_ms: tuple[float | None, ...]
    false_ms: tuple[float, ...] = ()

    @property
    def false_starts(self) -> int:
        """How often it took something else for speech."""
        return len(self.false_ms)

    def within(self, ms: float) -> int:
        """How many interruptions were noticed so soon."""
        return sum(delay is not None and delay <= ms for delay in self.noticed_ms)


def scene(
    seconds: float,
    gain_db: float | None,
    delay_ms: float,
    *,
    interruptions: int = 0,
    louder_db: float = 5.0,
    spoil: Callable[[Floats], Floats] = lambda echo: echo,
) -> Scene:
    """``interruptions`` spread evenly, ``louder_db`` above the echo (of -12 dB where ``gain_db`` says there is none).

    ``spoil`` makes of the echo what a poor loudspeaker would.
    """
    played = replies(seconds)
    echo = through_room(played, gain_db if gain_db is not None else -12.0, delay_ms)
    level = loudness(echo) * 10 ** (louder_db / 20)
    noise = np.random.default_rng(1).normal(size=len(played)).astype(np.float32) * np.float32(10 ** (NOISE_DBFS / 20))
    heard = noise if gain_db is None else noise + spoil(echo)
    spoken = []
    for number in range(interruptions):
        words = interruption(number) * np.float32(level)
        at = int(len(played) * (number + 0.6) / interruptions)
        words = words[: len(heard) - at]
        heard[at : at + len(words)] += words
        spoken.append((at / RATE_HZ, (at + len(words)) / RATE_HZ))
    return Scene(to_pcm(played), to_pcm(heard), tuple(spoken))


def send_through(scene: Scene, clean: Clean) -> Samples:
    """What the server gets of a scene."""
    blocks = range(0, len(scene.heard) - BLOCK_FRAMES + 1, BLOCK_FRAMES)
    cleaned = [clean(scene.played[at : at + BLOCK_FRAMES], scene.heard[at : at + BLOCK_FRAMES]) for at in blocks]
    return np.concatenate(cleaned)


def controlled(control: Any) -> Clean:
    """An echo control as the two device threads call it."""

    def clean(played: Samples, heard: Samples) -> Samples:
        for half in np.split(played, 2):
            control.played(half)
        return np.frombuffer(control.clean(heard.tobytes()), "<i2")

    return clean


def started_ms(sent: Samples) -> list[float]:
    """When the embedded server, at its default settings, would say ``speech_started``."""
    from realtime_cli.server.engines.silero import SileroVoiceActivity, load_session

    ear = InputAudio(lambda: SileroVoiceActivity(load_session()))
    ear.listen("audio/pcm", Endpointing())
    found = []
    for at in range(0, len(sent), BLOCK_FRAMES):
        decisions = list(ear.hear(sent[at : at + BLOCK_FRAMES].tobytes()))
        found += [(at + BLOCK_FRAMES) * 1000 / RATE_HZ for it in decisions if isinstance(it, SpeechStarted)]
    return found


def judge(started: Sequence[float], spoken: Sequence[tuple[float, float]]) -> Verdict:
    """Match what the server noticed with what the person said; half a second after it still belongs to it."""
    noticed = []
    explained = set()
    for begin, end in spoken:
        of_this = [ms for ms in started if begin * 1000 <= ms <= end * 1000 + 500]
        noticed.append(of_this[0] - begin * 1000 if of_this else None)
        explained |= set(of_this)
    return Verdict(tuple(noticed), tuple(sorted(set(started) - explained)))


@cache
def _sentences() -> tuple[Floats, ...]:
    from realtime_cli.server.engines.hibari import HibariSpeech

    speech = HibariSpeech()
    sentences = _REPLIES.replace("\n", " ").replace("?", ".").split(". ")
    voices = ("marin", "cedar", "coral", "verse")
    return tuple(
        sound(speech, f"{text}.", voices[number // 5 % len(voices)]).astype(np.float32) / np.float32(65536)
        for number, text in enumerate(sentences)
    )


def replies(seconds: float) -> Floats:
    """The model's voice, peaks at half of full scale, with short pauses and now and then a long one."""
    pauses = np.random.default_rng(5)
    parts: list[Floats] = []
    number = 0
    while sum(map(len, parts)) < seconds * RATE_HZ:
        parts.append(_sentences()[number % len(_sentences())])
        pause_s = pauses.uniform(1.0, 2.5) if number % 7 == 6 else pauses.uniform(0.05, 0.3)
        parts.append(np.zeros(int(pause_s * RATE_HZ), np.float32))
        number += 1
    return np.concatenate(parts)[: int(seconds * RATE_HZ)]


def interruption(number: int) -> Floats:
    """A person's words, without silence around them, at a loudness of 1."""
    text = _INTERRUPTIONS[number % len(_INTERRUPTIONS)]
    return spoken(text, VOICES[number % len(VOICES)], 150 + 10 * (number % 4))


def room(gain_db: float, delay_ms: float) -> Floats:
    """An impulse response: the direct sound, and a tail that dies away by 60 dB in 150 ms."""
    generator = np.random.default_rng(3)
    times = np.arange(int(1.3 * T60_S * RATE_HZ)) / RATE_HZ
    tail = generator.normal(size=len(times)) * 10 ** (-3 * times / T60_S)
    tail[: RATE_HZ // 500] = 0
    tail *= 10 ** (-DIRECT_TO_REVERB_DB / 20) / np.linalg.norm(tail)
    tail[0] = 1
    response = np.concatenate((np.zeros(int(delay_ms * RATE_HZ / 1000)), tail / np.linalg.norm(tail)))
    return (response * 10 ** (gain_db / 20)).astype(np.float32)


def through_room(signal: Floats, gain_db: float, delay_ms: float) -> Floats:
    """What of a signal arrives at the microphone."""
    response = room(gain_db, delay_ms)
    size = 1 << 18
    step = size - len(response) + 1
    spectrum = np.fft.rfft(response, size)
    out = np.zeros(len(signal) + size, np.float32)
    for at in range(0, len(signal), step):
        piece = np.fft.irfft(np.fft.rfft(signal[at : at + step], size) * spectrum, size)
        out[at : at + size] += piece.astype(np.float32)
    return out[: len(signal)]


def to_pcm(signal: Floats) -> Samples:
    """From -1..1 to int16."""
    return np.round(signal * 32767).clip(-32768, 32767).astype(np.int16)
