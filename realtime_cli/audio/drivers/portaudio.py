"""Microphones and loudspeakers through PortAudio."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from realtime_cli.audio.core.pcm import BLOCK_BYTES, FRAME_BYTES, RATE_HZ
from realtime_cli.audio.core.silence import DigitalSilence, silence
from realtime_cli.audio.drivers.device_stream import CALLBACK_MS, DeviceStream, Notice, StreamCallback
from realtime_cli.audio.drivers.devices import choose_device, list_devices
from realtime_cli.audio.drivers.library import forget_stream, portaudio, register_stream, unmute_remedy
from realtime_cli.conversation.records import SourceState
from realtime_cli.errors import AudioError
from realtime_cli.ports import Deliver, Pull

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LONGEST_DRAIN_S = 0.25
"""A device that claims a longer latency than this does not get to hold up the end of the program."""


class PortAudioSource(DeviceStream):
    """A microphone: the system's default one, or one given by number or by a unique part of its name.

    A device with several channels gives the mean of its first two. ``on_demand``: it is held only while :meth:`run`
    runs, which may then be called again, and other programs see that nobody records.
    """

    def __init__(
        self, device: str | int | None = None, on_notice: Notice | None = None, *, on_demand: bool = False
    ) -> None:
        super().__init__(device, "input", on_notice)
        self._on_demand = on_demand
        self._running = threading.Lock()  # a second run waits until the one before has let go of the device
        self._deliver: Deliver | None = None
        self._silence = DigitalSilence()
        self.overflows = 0
        """How often the system lost audio because the program took it too late."""

    @property
    def state(self) -> SourceState:
        """Whether the device works, is lost, or gives nothing but digital silence. Any thread."""
        return "lost" if not self.works else "silent" if self._silence.lasts else "works"

    def open(self) -> None:
        """Open and start the device, or on demand only look whether it is there. Main thread. Raises AudioError."""
        if self._on_demand:
            choose_device(list_devices(self._direction), self._wanted, self._direction)
        else:
            super().open()

    def run(self, deliver: Deliver, at_end: Callable[[], None], stopping: threading.Event) -> None:  # noqa: ARG002
        """Deliver blocks of 20 ms on PortAudio's thread. Own thread; blocks until stopped. Raises AudioError.

        A lost device is replaced meanwhile, by itself or by the default one, and the user told.
        """
        with self._running:
            self._deliver = deliver
            if not self._on_demand:
                self._watch(stopping)
                return
            register_stream(self._abandon)
            try:
                self._take(stopping)
                self._watch(stopping)
            finally:
                with portaudio():
                    self._abandon()
                forget_stream(self._abandon)

    def _take(self, stopping: threading.Event) -> None:
        """Open the device, or when it has gone since, another one. Blocks for that. Raises AudioError."""
        try:
            self._connect(self._wanted)
        except AudioError as error:
            self._tell(str(error))
            self._get_back(stopping)

    def _callback(self, rate_hz: int, channels: int) -> StreamCallback:
        import sounddevice

        mono = _to_mono(rate_hz, channels)
        cut = _block_cutter(self._hand_over)

        def capture(indata: Any, _frames: int, _time: Any, status: Any) -> None:
            self._beats += 1
            if status and status.input_overflow:
                self.overflows += 1
            try:
                cut(mono(indata))
            except Exception as error:  # raised again by run(): this thread has nobody who could catch it
                self._failure = error
                raise sounddevice.CallbackAbort from error

        return capture

    def _tell_silence(self) -> None:
        if self._silence.lasts:
            self._tell(f"the {self._name} delivers nothing but digital silence: {unmute_remedy()}")
        else:
            self._tell(f"the {self._name} is heard again")

    def _hand_over(self, block: bytes) -> None:
        if self._silence.hear(block):
            self._tell_silence()
        if self._deliver:
            self._deliver(block)


class PortAudioSink(DeviceStream):
    """A loudspeaker: the system's default one, or one given by number or by a unique part of its name.

    A device with several channels plays the same on all.
    """

    def __init__(self, device: str | int | None = None, on_notice: Notice | None = None) -> None:
        super().__init__(device, "output", on_notice)
        self._pull: Pull | None = None
        self.underflows = 0
        """How often the system had nothing to play because the program gave it too late."""

    @property
    def latency_ms(self) -> float:
        """How long after it was pulled a frame is heard, as far as PortAudio knows; 0.0 before :meth:`open`."""
        from realtime_cli.audio.core.resampling import held_ms

        if not self.opened:
            return 0.0
        return self.opened.latency_ms + (held_ms(RATE_HZ) if self.opened.rate_hz != RATE_HZ else 0.0)

    def run(self, pull: Pull, stopping: threading.Event) -> None:
        """Play on PortAudio's thread. Own thread; blocks until stopped. Raises AudioError.

        A lost device is replaced meanwhile, by itself or by the default one, and the user told.
        """
        self._pull = pull
        self._watch(stopping)

    def close(self) -> None:
        """Pull no more, let what was pulled be heard, and let go of the device. Any thread; blocks for its latency."""
        was_open = not self._closed.is_set() and self._alive()
        self._closed.set()
        if was_open:
            # What was pulled last may have to wait for the block before it.
            time.sleep(min((self.latency_ms + CALLBACK_MS["output"]) / 1000, _LONGEST_DRAIN_S))
        super().close()

    def _callback(self, rate_hz: int, channels: int) -> StreamCallback:
        import sounddevice

        from realtime_cli.audio.core.resampling import resampled_pull

        spread = _to_channels(channels)
        pull = self._pull_or_silence if rate_hz == RATE_HZ else resampled_pull(self._pull_or_silence, RATE_HZ, rate_hz)

        def play(outdata: Any, frames: int, _time: Any, status: Any) -> None:
            self._beats += 1
            if status and status.output_underflow:
                self.underflows += 1
            try:
                samples = pull(frames)
                outdata[:] = _silent(frames * channels) if samples is silence(frames) else spread(samples)
            except Exception as error:  # raised again by run(): this thread has nobody who could catch it
                self._failure = error
                raise sounddevice.CallbackAbort from error

        return play

    def _pull_or_silence(self, frames: int) -> npt.NDArray[np.int16]:
        if self._pull and not (self._is_on_trial or self._closed.is_set()):
            return self._pull(frames)
        import numpy as np

        return np.zeros(frames, np.int16)


@cache
def _silent(samples: int) -> bytes:
    """So many samples of silence: most of what a loudspeaker is given."""
    return bytes(samples * FRAME_BYTES)


def _to_mono(rate_hz: int, channels: int) -> Callable[[Any], bytes]:
    """A function that makes PCM16 24 kHz mono of what a device captured."""
    if channels == 1 and rate_hz == RATE_HZ and sys.byteorder == "little":
        return bytes  # numpy, a hundred times a second beside an idle conversation, would be a third of its cost
    import numpy as np

    from realtime_cli.audio.core.resampling import resampler

    resample = resampler(rate_hz, RATE_HZ) if rate_hz != RATE_HZ else None

    def mono(captured: Any) -> bytes:
        samples = np.frombuffer(captured, np.int16).reshape(-1, channels)
        one = samples[:, 0] if channels == 1 else samples[:, :2].mean(axis=1).astype(np.int16)
        return (resample(one) if resample else one).astype("<i2").tobytes()

    return mono


def _to_channels(channels: int) -> Callable[[npt.NDArray[np.int16]], bytes]:
    """A function that makes of samples, shape ``(frames,)``, what a device plays: the same on each channel."""
    if channels == 1:
        return lambda samples: samples.tobytes()
    return lambda samples: samples.repeat(channels).tobytes()


def _block_cutter(deliver: Deliver) -> Callable[[bytes], None]:
    """A function that takes PCM16 of any length and delivers full blocks."""
    held = b""

    def cut(pcm: bytes) -> None:
        nonlocal held
        held += pcm
        while len(held) >= BLOCK_BYTES:
            deliver(held[:BLOCK_BYTES])
            held = held[BLOCK_BYTES:]

    return cut
