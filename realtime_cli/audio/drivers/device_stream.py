"""What PortAudio's microphones and loudspeakers have in common: being opened, watched, and got back when they go.

How devices fail, seen on PulseAudio: unplugged, a stream stops being active and nothing is raised; suspended, it stays
active and its callbacks cease. In both cases stopping it may hang for seconds, and aborting does not.
"""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.audio.drivers.devices import WHAT, Device, Direction, choose_device, list_devices
from realtime_cli.audio.drivers.library import forget_stream, look_for_devices, portaudio, register_stream
from realtime_cli.errors import AudioError

Notice = Callable[[str], None]
"""Takes one line for the user. Called on the driver's ``run`` thread or PortAudio's; returns at once."""

StreamCallback = Callable[[Any, int, Any, Any], None]
"""sounddevice's own: the block as a buffer of interleaved int16, its frames, times and flags."""

CALLBACK_MS: dict[Direction, int] = {"input": 10, "output": 8}
"""What a device hands over, or asks for, at once, by measurement on virtual devices (ALSA on PulseAudio, 24 kHz,
``latency="low"``):

========= =========== ============ ====================================== ==============================
blocksize CPU, input  CPU, output  a click out and in again, median       until its 20 ms block is full
========= =========== ============ ====================================== ==============================
0         4.6-5.6 %   5.9-7.6 %    18 ms                                  29 ms
5 ms      4.1 %       5.7 %        22 ms                                  -
10 ms     2.1-2.9 %   3.4-4.1 %    30 ms (input only), 33 ms (output)     34-37 ms
20 ms     1.7-2.0 %   2.6-2.8 %    37 ms (input only), 56 ms (output)     39-43 ms
========= =========== ============ ====================================== ==============================

CPU is that of a bare client, of one core; it goes into the sound server's wake-ups, hardly into Python. In another run,
from the callback to the sound, medians: 5 ms 17, 8 ms 17-21, 10 ms 29-34; with 8 ms for 0.3 % of a core more than 10.
"""

_WATCH_S = 0.2
"""How often a stream is looked at: a device that went is noticed before the user says "hello?"."""

_STALLED_S = 1.0
"""A device without callbacks for this long is gone, suspended or stuck: a hundred times what it takes between two."""

_STALLED_LOOKS = round(_STALLED_S / _WATCH_S)
"""As looks at it: where the whole machine stands still for a second, neither callbacks nor looks happen."""

_PROOF_BEATS = 5
"""So many callbacks, after those that fill the buffers of a device just opened, show that it works."""

_STEADY_S = 10.0
"""A device that goes again sooner than this after it came back is not told again."""

_LOOK_EVERY = 4
"""At every fourth attempt to wake a device that stands still, see whether there are others by now."""

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0
"""Between two attempts to get a device back. Each attempt interrupts the program's other device for a moment."""

_GIVE_UP_S = 60.0
"""Long enough to plug a headset in again or restart a sound server."""

_CONVERTING_HOST_APIS = frozenset({"ALSA", "PulseAudio"})
"""Host APIs behind which a sound server or ALSA's plug layer takes any rate without harm.

There PortAudio's ``default_samplerate`` is no fact about the device: it is 44100 wherever that is accepted
(pa_linux_alsa.c, GropeDevice). Elsewhere it is the device's own rate; others may be refused or give digital silence.
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a stream was opened with."""

    device: Device
    rate_hz: int
    channels: int
    latency_ms: float


def formats(device: Device, direction: Direction) -> Iterator[tuple[int, int]]:
    """Pairs of rate in Hz and channels to try in turn: no conversion where that is safe, then the device's own rate."""
    rates = [device.default_rate_hz, RATE_HZ]
    if device.host_api in _CONVERTING_HOST_APIS:
        rates.reverse()
    most = device.channels(direction)
    # One channel of a stereo loudspeaker is its left side; one of a stereo microphone is as good as both.
    usual = [min(2, most), 1] if direction == "output" else [1, min(2, most)]
    for rate_hz in dict.fromkeys(rates):
        for channels in dict.fromkeys([*usual, most]):
            yield rate_hz, channels


class DeviceStream(ABC):
    """A PortAudio stream in one direction, with a watchdog that opens it again when it is lost."""

    def __init__(self, wanted: str | int | None, direction: Direction, on_notice: Notice | None) -> None:
        self._wanted = wanted
        self._direction = direction
        self._on_notice = on_notice
        self._closed = threading.Event()
        # Written with PortAudio held (see library.py), as other threads may close it or let PortAudio look for devices.
        self._stream: Any = None
        self._beats = 0
        self._failure: Exception | None = None
        # On trial a loudspeaker gets nothing to play: what a device swallows that does not play was not heard.
        self._is_on_trial = False
        self._recovered_s = -math.inf
        self.works = True
        """False while the device is lost."""
        self.opened: Opened | None = None
        """The device in use; what it was last when it has gone."""
        self.reopened = 0
        """How often the device was lost and one was found again."""

    def open(self) -> None:
        """Open and start the device. Main thread; blocks while it starts. Raises AudioError."""
        register_stream(self._abandon)
        try:
            self._connect(self._wanted)
        except AudioError:
            forget_stream(self._abandon)
            raise

    def close(self) -> None:
        """Let go of the device at once. Any thread; does not hang; may be called twice."""
        self._closed.set()
        if self._stream is not None:
            with portaudio():
                self._abandon()
        forget_stream(self._abandon)

    @abstractmethod
    def _callback(self, rate_hz: int, channels: int) -> StreamCallback:
        """What PortAudio's thread shall call for a stream of this format."""

    @property
    def name(self) -> str:
        """The device's own; empty before one is open."""
        opened = self.opened
        return opened.device.name if opened else ""

    @property
    def _name(self) -> str:
        return f'{WHAT[self._direction]} "{self.name or self._wanted}"'

    def _watch(self, stopping: threading.Event) -> None:
        """See that the device works, and get it or another one back where it does not. Blocks until told to stop.

        Raises AudioError when none was found for a minute, and whatever a callback raised.
        """
        beats, quiet_looks = self._beats, 0
        while not stopping.wait(_WATCH_S) and not self._closed.is_set():
            if self._failure:
                raise self._failure
            quiet_looks = quiet_looks + 1 if self._beats == beats else 0
            beats = self._beats
            if not self._alive() or quiet_looks > _STALLED_LOOKS:
                self._get_back(stopping)
                beats, quiet_looks = self._beats, 0

    def _alive(self) -> bool:
        if self._stream is None:
            return False
        # PortAudio must not be asked about a stream that another thread is closing.
        with portaudio():
            return self._stream is not None and bool(self._stream.active)

    def _get_back(self, stopping: threading.Event) -> None:
        """Open the same or the default device. Blocks until one works or told to stop. Raises AudioError."""
        self.works = False
        last, lost = self.opened, self._name
        stands_still = self._alive()
        why = "stands still (suspended?)" if stands_still else "is gone"
        # A loose plug comes and goes every other second.
        is_news = time.monotonic() - self._recovered_s > _STEADY_S
        # Without a stream it was this program's own search for another device that ended it.
        told = is_news and self._stream is not None
        if told:
            self._tell(f"the {lost} {why}; looking for it")
        deadline_s = time.monotonic() + _GIVE_UP_S
        pause_s = 0.0
        for attempt in count():
            if stopping.wait(pause_s) or self._closed.is_set():
                return
            try:
                # A look for devices interrupts the program's other one, and wakes none that is there but suspended.
                self._attempt(anew=attempt > 0 and (not stands_still or attempt % _LOOK_EVERY == 0))
            except AudioError as error:
                if time.monotonic() > deadline_s:
                    raise AudioError(f"the {lost} {why} and none took its place", str(error)) from error
                if is_news and not told:
                    told = True
                    self._tell(f"the {lost} {why}; looking for it")
                pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
                continue
            break
        self.reopened += 1
        self._recovered_s = time.monotonic()
        self.works = True
        if told or not (last and self.opened and self.opened.device == last.device):
            self._tell(f"now using the {self._name}")

    def _attempt(self, *, anew: bool) -> None:
        """Open a device and wait until it works. Raises AudioError."""
        self._is_on_trial = True
        with portaudio():
            self._abandon()
            if anew:
                look_for_devices()
            try:
                self._connect(self._wanted)
            except AudioError:
                if self._wanted is None:
                    raise
                self._connect(None)
        if not self._keeps_calling():
            raise AudioError(f"the {self._name} does nothing", "it may be suspended")
        self._is_on_trial = False

    def _keeps_calling(self) -> bool:
        """Whether the device goes on when its buffers are filled: a suspended one opens, and asks for so much."""
        self._closed.wait(_WATCH_S)
        wanted = self._beats + _PROOF_BEATS
        until_s = time.monotonic() + _STALLED_S
        while self._beats < wanted and time.monotonic() < until_s:
            if self._closed.wait(_PROOF_BEATS * CALLBACK_MS[self._direction] / 1000):
                return True
        return self._beats >= wanted and self._alive()

    def _connect(self, wanted: str | int | None) -> None:
        with portaudio() as sounddevice:
            if self._closed.is_set():
                return
            device = choose_device(list_devices(self._direction), wanted, self._direction)
            refusals = []
            for rate_hz, channels in formats(device, self._direction):
                try:
                    self._start(sounddevice, device, rate_hz, channels)
                except sounddevice.PortAudioError as error:
                    refusals.append(str(error))
                else:
                    return
            raise AudioError(f'the {WHAT[self._direction]} "{device.name}" cannot be used', refusals[0])

    def _start(self, sounddevice: Any, device: Device, rate_hz: int, channels: int) -> None:
        kind = sounddevice.RawInputStream if self._direction == "input" else sounddevice.RawOutputStream
        stream = kind(
            device=device.index,
            samplerate=rate_hz,
            channels=channels,
            dtype="int16",
            blocksize=rate_hz * CALLBACK_MS[self._direction] // 1000,
            latency="low",
            callback=self._callback(rate_hz, channels),
        )
        try:
            stream.start()
        except sounddevice.PortAudioError:
            stream.close(ignore_errors=True)
            raise
        self._stream = stream
        self.opened = Opened(device, rate_hz, channels, stream.latency * 1000)

    def _abandon(self) -> None:
        """Abort and close the stream, if any. With PortAudio held."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)

    def _tell(self, text: str) -> None:
        if self._on_notice:
            self._on_notice(text)
