"""Echo control on real PortAudio streams, in a computed room between the virtual devices.

As ``echo.py`` has it, but at the pace of speech: the program's own drivers open the two devices, and what the canceller
lets through goes to the embedded server's ear. The model goes on talking when it is interrupted.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.figures import arguments, quantile
from benchmarks.sound import devices_if_any
from realtime_cli.audio.core.pcm import RATE_HZ
from tests.echo_scene import PATHS, interruption, judge, replies, started_ms, to_pcm
from tests.echo_take import Take, Words, take
from tests.speech_sounds import loudness

LOUDER_DB = 5.0
SOON_MS = 500


def main() -> None:
    """Measure and print."""
    given = arguments(__doc__, seconds=600.0, interruptions=20)
    seconds, interruptions = float(given["seconds"]), int(given["interruptions"])
    with devices_if_any() as devices:
        if devices is None:
            return
        reply = replies(seconds)
        for gain_db, delay_ms in PATHS:
            level = np.float32(loudness(reply) * 10 ** ((gain_db + LOUDER_DB) / 20))
            words = [
                Words(seconds * (number + 0.6) / interruptions, to_pcm(interruption(number) * level))
                for number in range(interruptions)
            ]
            taken = take(devices, gain_db, delay_ms, to_pcm(reply), words)
            _show(f"Echo {gain_db} dB, {delay_ms} ms, {seconds:.0f} s on devices", taken, words)


def _show(title: str, taken: Take, words: list[Words]) -> None:
    spoken = [(at / RATE_HZ, (at + len(said.samples)) / RATE_HZ) for at, said in zip(taken.onsets, words, strict=True)]
    for name, samples in (("without control", taken.heard), ("as in the program", taken.sent)):
        judged = judge(started_ms(samples), spoken)
        noticed = [ms for ms in judged.noticed_ms if ms is not None]
        delays = f", median {quantile(noticed, 0.5):.0f} ms, max {max(noticed):.0f} ms" if noticed else ""
        sys.stdout.write(
            f"{title}, {name}: {judged.false_starts} false starts, "
            f"{judged.within(SOON_MS)}/{len(words)} interruptions noticed within {SOON_MS} ms{delays}\n"
        )
    sys.stdout.write(
        f"  put in step again {taken.jumps} times; {taken.underflows} underflows, {taken.overflows} overflows\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
