"""Echo control in a computed room: what of it the embedded server takes for speech, and which interruptions it notices.

Ten minutes of replies by the local voice, twenty interruptions by others, 5 dB louder than the echo; the ear is the
embedded server's own (Silero and its endpointing). The model goes on talking when it is interrupted, which no real
conversation does: so every false start is counted, and the user is always talked over.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import soxr

from benchmarks.figures import arguments, quantile
from benchmarks.linear_filter import LinearFilter
from realtime_cli.audio.core.echo_canceller import DELAY_FRAMES, EchoCanceller, webrtc_canceller
from realtime_cli.audio.core.gates import HalfDuplex
from realtime_cli.audio.core.pcm import RATE_HZ
from tests.echo_scene import PATHS, Clean, Floats, Samples, Scene, controlled, judge, scene, send_through, started_ms

DELAYS = {"webrtc": DELAY_FRAMES, "linear + webrtc": DELAY_FRAMES, "webrtc + noise suppression": DELAY_FRAMES}
"""By how many frames what is sent lags behind; measured for webrtc, and the same for all that contain it."""


def _say_nothing(_text: str) -> None:
    pass


def _webrtc(**options: object) -> Clean:
    from pywebrtc_audio import AudioProcessor

    processor = AudioProcessor(sample_rate=RATE_HZ, num_channels=1, echo_cancellation=True, **options)
    return lambda played, heard: processor.process(heard, played)


def _linear_then_webrtc() -> Clean:
    linear, webrtc = LinearFilter(), _webrtc()
    return lambda played, heard: webrtc(played, linear.clean(played, heard))


SETTINGS: dict[str, Callable[[], Clean]] = {
    "nothing": lambda: lambda _played, heard: heard,
    "webrtc": _webrtc,
    "webrtc + noise suppression": lambda: _webrtc(noise_suppression=True),
    "linear": lambda: LinearFilter().clean,
    "linear + webrtc": _linear_then_webrtc,
    "gate (no canceller)": lambda: controlled(EchoCanceller(None, _say_nothing)),
    "half duplex": lambda: controlled(HalfDuplex()),
    "as in the program": lambda: controlled(EchoCanceller(webrtc_canceller(), _say_nothing)),
}


def distorted(echo: Floats) -> Floats:
    """A loudspeaker at its limit: 3 dB of compression at the peaks."""
    peak = np.abs(echo).max()
    return np.tanh(1.5 * echo / peak) * peak / np.float32(1.5)


def drifting(echo: Floats) -> Floats:
    """A loudspeaker whose clock is slower than the microphone's by 100 ppm."""
    late: Floats = soxr.resample(echo, 1_000_000, 1_000_100)[: len(echo)]
    return np.pad(late, (0, len(echo) - len(late)))


def moving(echo: Floats) -> Floats:
    """Somebody lifts the laptop's lid: the path is another by turns of 15 s."""
    other = np.roll(echo, 7) * np.float32(0.8)
    return np.where(np.arange(len(echo)) // (15 * RATE_HZ) % 2 == 1, other, echo)


def likeness(acted: Scene, alone: Scene, sent: Samples, late: int) -> float:
    """The mean correlation of what is sent of the user's words with the same words said into silence."""
    found = []
    for begin, end in acted.spoken:
        words = slice(int(begin * RATE_HZ), int(end * RATE_HZ) - late)
        pure = alone.heard[words].astype(np.float64)
        came = sent[words.start + late : words.stop + late].astype(np.float64)
        found.append(pure @ came / max(np.linalg.norm(pure) * np.linalg.norm(came), 1.0))
    return float(np.mean(found))


def _line(name: str, make: Callable[[], Clean], acted: Scene, alone: Scene | None) -> None:
    seconds = len(acted.heard) / RATE_HZ
    began = time.process_time()
    sent = send_through(acted, make())
    cost = (time.process_time() - began) / seconds * 1000
    judged = judge(started_ms(sent), acted.spoken)
    noticed = [ms for ms in judged.noticed_ms if ms is not None]
    late = DELAYS.get(name, DELAY_FRAMES if name.startswith(("as", "gate")) else 0)
    alike = f"{likeness(acted, alone, sent, late):10.2f}" if alone else " " * 10
    middle, most = (f"{quantile(noticed, 0.5):.0f}", f"{max(noticed):.0f}") if noticed else ("-", "-")
    soon = f"{judged.within(500)}/{len(acted.spoken)}"
    sys.stdout.write(f"{name:28}{judged.false_starts:>7}{soon:>9}{middle:>9}{most:>6}{alike}{cost:9.1f}\n")
    sys.stdout.flush()


def _table(title: str, acted: Scene, names: tuple[str, ...], alone: Scene | None = None) -> None:
    head = f"{'':28}{'false':>7}{'< 0.5 s':>9}{'median':>9}{'max':>6}{'likeness':>10}{'ms CPU/s':>9}"
    sys.stdout.write(f"\n{title}\n{head}\n")
    for name in names:
        _line(name, SETTINGS[name], acted, alone)


def main() -> None:
    """Print the tables."""
    wanted = arguments(__doc__, seconds=600.0, interruptions=20)
    seconds, interruptions = float(wanted["seconds"]), int(wanted["interruptions"])
    for gain_db, delay_ms in PATHS:
        acted = scene(seconds, gain_db, delay_ms, interruptions=interruptions)
        quiet = scene(seconds, gain_db, delay_ms, interruptions=interruptions, spoil=np.zeros_like)
        _table(f"Echo {gain_db} dB, {delay_ms} ms, {seconds:.0f} s", acted, tuple(SETTINGS), quiet)
    rivals = ("webrtc", "linear", "linear + webrtc", "as in the program")
    for title, spoil in (("distorted", distorted), ("clocks 100 ppm apart", drifting), ("moving", moving)):
        acted = scene(seconds / 3, *PATHS[1], interruptions=interruptions, spoil=spoil)
        _table(f"Echo {PATHS[1][0]} dB, {PATHS[1][1]} ms, {title}, {seconds / 3:.0f} s", acted, rivals)
    headphones = scene(seconds / 3, None, 0, interruptions=interruptions)
    _table(f"Headphones (no echo), {seconds / 3:.0f} s", headphones, ("webrtc", "as in the program"))


if __name__ == "__main__":
    main()
