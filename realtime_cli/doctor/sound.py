"""Looks at PortAudio and its devices, listens to the microphone, and plays a chirp.

A device's ``run`` is a watchdog that tells when the device is lost: here that ends the look at it, as getting a device
back is for conversations. All of this blocks and is called on the main thread.
"""

from __future__ import annotations

import threading
import time
from functools import partial

import numpy as np

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS, RATE_HZ
from realtime_cli.audio.drivers.choose import NOTHING, PIPE, is_device, open_sink, open_source
from realtime_cli.audio.drivers.device_stream import Opened
from realtime_cli.audio.drivers.devices import WHAT, Direction, choose_device, list_devices
from realtime_cli.audio.drivers.library import portaudio
from realtime_cli.audio.drivers.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.doctor.check import Check, failed, good
from realtime_cli.doctor.chirp import CHIRP_MS, Samples, chirp, find_echo
from realtime_cli.doctor.probing import begin, outcome
from realtime_cli.doctor.verdicts import EchoProtection, judge_echo, judge_microphone
from realtime_cli.errors import AudioError, RealtimeError
from realtime_cli.ports import AudioSource

MICROPHONE, LOUDSPEAKER, ECHO = WHAT["input"], WHAT["output"], "echo"

_NO_DEVICE = {PIPE: "a pipe", NOTHING: "none, as asked for"}

_LISTEN_BLOCKS = 1000 // BLOCK_MS
_SILENCE_S = 0.3
"""So much silence a loudspeaker must take to have proved that it plays."""

_LEAD_BLOCKS = 500 // BLOCK_MS
"""What the room sounds like before the chirp, by which its echo is judged; longer than the chirp."""

_TAIL_S = CHIRP_MS / 1000 + 1.0
"""How long after its beginning the chirp is waited for: wireless headsets take 0.3 s, twice."""

_MOST_BLOCKS = 4000 // BLOCK_MS
"""When a loudspeaker that asks for nothing is given up."""


def check_portaudio() -> Check:
    """PortAudio is there."""
    try:
        with portaudio() as sounddevice:
            version = str(sounddevice.get_portaudio_version()[1]).partition(", revision")[0]
            return good("portaudio", f"{version}, sounddevice {sounddevice.__version__}")
    except AudioError as error:
        return failed("portaudio", error)


def check_devices(mic: str | None, speaker: str | None) -> Check:
    """There are devices, and among them those that are meant."""
    wanted: tuple[tuple[str | None, Direction, str], ...] = ((mic, "input", "--mic"), (speaker, "output", "--speaker"))
    chosen = []
    try:
        devices = list_devices()
    except AudioError as error:
        return failed("devices", error)
    for word, direction, flag in wanted:
        if is_device(word):
            try:
                device = choose_device(devices, word, direction)
            except AudioError as error:
                return failed("devices", error, _choose(flag))
            chosen.append(f'{WHAT[direction]} "{device.name}" ({device.default_rate_hz} Hz)')
    return good("devices", f"{len(devices)} found; {', '.join(chosen)}")


def check_microphone(word: str | None, *, on_demand: bool) -> Check:
    """The microphone, or the file in its place, delivers sound. Takes a second. ``on_demand``: for push-to-talk."""
    stopping = threading.Event()
    try:
        source = open_source(word, lambda _lost: stopping.set(), on_demand=on_demand)
    except RealtimeError as error:
        return failed(MICROPHONE, error)
    if not isinstance(source, PortAudioSource):
        return _check_file(source, word)
    blocks: list[bytes] = []

    def hear(block: bytes) -> None:
        blocks.append(block)
        if len(blocks) >= _LISTEN_BLOCKS:
            stopping.set()

    try:
        source.open()
        source.run(hear, lambda: None, stopping)
    except AudioError as error:
        return failed(MICROPHONE, error, _choose("--mic"))
    finally:
        source.close()
    return judge_microphone(MICROPHONE, _opened(source.opened), np.frombuffer(b"".join(blocks), "<i2"))


def _check_file(source: AudioSource, word: str | None) -> Check:
    try:
        source.open()
    except RealtimeError as error:
        return failed(MICROPHONE, error, "name another recording, or a device, with --mic")
    finally:
        source.close()
    return good(MICROPHONE, _NO_DEVICE.get(word or "", f"the recording {word}"))


def check_loudspeaker(word: str | None, mic: str | None) -> Check:
    """The loudspeaker takes sound, silence to be exact; a file in its place is left alone."""
    stopping = threading.Event()
    try:
        sink = open_sink(word, lambda _lost: stopping.set(), source=mic)
    except RealtimeError as error:
        return failed(LOUDSPEAKER, error)
    if not isinstance(sink, PortAudioSink):
        return good(LOUDSPEAKER, _NO_DEVICE.get(word or "", f"the file {word}"))
    pulled = 0

    def pull(frames: int) -> Samples:
        nonlocal pulled
        pulled += frames
        if pulled >= _SILENCE_S * RATE_HZ:
            stopping.set()
        return np.zeros(frames, np.int16)

    try:
        sink.open()
        sink.run(pull, stopping)
        latency_ms = sink.latency_ms
    except AudioError as error:
        return failed(LOUDSPEAKER, error, _choose("--speaker"))
    finally:
        sink.close()
    if pulled < _SILENCE_S * RATE_HZ:
        problem = f"{_opened(sink.opened)} takes no sound: suspended, or in use elsewhere"
        return failed(LOUDSPEAKER, AudioError(problem, _choose("--speaker")))
    return good(LOUDSPEAKER, f"{_opened(sink.opened)}; its own latency {latency_ms:.0f} ms")


def check_echo(mic: str | None, speaker: str | None, protection: EchoProtection) -> Check:
    """Play the chirp, and see how much of it the microphone hears. Takes two seconds."""
    trial = _Trial()
    source, sink = PortAudioSource(mic, trial.lost), PortAudioSink(speaker, trial.lost)
    try:
        sink.open()
        source.open()
        playing = begin("chirp", partial(sink.run, trial.pull, trial.stopping))
        source.run(trial.hear, lambda: None, trial.stopping)
        outcome(playing)
    except AudioError as error:
        return failed(ECHO, error, "run it again, or try without the chirp: --no-sound")
    finally:
        trial.stopping.set()
        source.close()
        sink.close()
    if not trial.played:
        problem = "a device was lost while the chirp was played"
        return failed(ECHO, AudioError(problem, "run it again, or choose others with --mic and --speaker"))
    recording = np.frombuffer(b"".join(trial.blocks), "<i2")
    echo = find_echo(recording, trial.sound, trial.quiet_frames)
    latency_ms = trial.latency_ms(echo.at_frame) if echo else 0.0
    return judge_echo(ECHO, echo, latency_ms, protection=protection)


class _Trial:
    """One chirp, once the microphone has heard the room, and all that the microphone heard.

    ``hear`` and ``pull`` are called on the devices' threads, everything else when these are done.
    """

    def __init__(self) -> None:
        self.sound = chirp()
        self.stopping = threading.Event()
        self.blocks: list[bytes] = []
        self.quiet_frames = 0
        self._pulled = 0
        self._began_s = 0.0
        self._mic_began_s = float("inf")

    def hear(self, block: bytes) -> None:
        """Take a microphone block."""
        now = time.monotonic()
        self.blocks.append(block)
        # Some blocks come late, and none early: the earliest tells when the recording began.
        self._mic_began_s = min(self._mic_began_s, now - len(self.blocks) * BLOCK_MS / 1000)
        if (self._began_s and now - self._began_s >= _TAIL_S) or len(self.blocks) >= _MOST_BLOCKS:
            self.stopping.set()

    def pull(self, frames: int) -> Samples:
        """Silence, the chirp, silence."""
        out = np.zeros(frames, np.int16)
        if len(self.blocks) < _LEAD_BLOCKS:
            return out
        if not self._began_s:
            self._began_s = time.monotonic()
            self.quiet_frames = len(self.blocks) * BLOCK_FRAMES
        piece = self.sound[self._pulled : self._pulled + frames]
        self._pulled += frames
        out[: len(piece)] = piece
        return out

    def lost(self, _notice: str) -> None:
        """A device is lost."""
        self.stopping.set()

    @property
    def played(self) -> bool:
        """The chirp was played and there was time for it to come back."""
        since = len(self.blocks) * BLOCK_FRAMES - self.quiet_frames
        return self.quiet_frames > 0 and since >= _TAIL_S / 2 * RATE_HZ

    def latency_ms(self, at_frame: int) -> float:
        """From the pull of the chirp's first frame to the microphone's ``at_frame``."""
        return (self._mic_began_s + at_frame / RATE_HZ - self._began_s) * 1000


def _choose(flag: str) -> str:
    return f"choose one with {flag}; to list them: realtime-cli devices"


def _opened(opened: Opened | None) -> str:
    if opened is None:
        return "the device"
    resampled = "" if opened.rate_hz == RATE_HZ else f", resampled to {RATE_HZ}"
    return f'"{opened.device.name}" at {opened.rate_hz} Hz{resampled}'
