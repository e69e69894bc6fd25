"""A room for the virtual devices: hears the loudspeaker, and is heard in the microphone. Run as a program of its own.

Arguments: gain in dB and delay in ms that the room adds to that of the sound server. Ends when its stdin does.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.echo_scene import room

BLOCK_FRAMES = 240
FORMAT = ("--raw", "--format=s16le", "--rate=24000", "--channels=1")


def main() -> None:
    """Convolve, until stdin ends."""
    response = room(float(sys.argv[1]), float(sys.argv[2]))
    size = 1 << int(np.ceil(np.log2(len(response) + BLOCK_FRAMES)))
    spectrum = np.fft.rfft(response, size)
    ringing = np.zeros(size, np.float32)
    hears = subprocess.Popen(
        ["pacat", "--record", "--device=spk.monitor", "--latency-msec=10", *FORMAT], stdout=subprocess.PIPE
    )
    is_heard = subprocess.Popen(
        ["pacat", "--playback", "--device=mic_in", "--latency-msec=40", *FORMAT], stdin=subprocess.PIPE
    )
    assert hears.stdout
    assert is_heard.stdin
    threading.Thread(target=lambda: (sys.stdin.read(), hears.terminate()), daemon=True).start()
    try:
        while len(block := hears.stdout.read(2 * BLOCK_FRAMES)) == 2 * BLOCK_FRAMES:
            ringing += np.fft.irfft(np.fft.rfft(np.frombuffer(block, "<i2"), size) * spectrum, size).astype(np.float32)
            is_heard.stdin.write(ringing[:BLOCK_FRAMES].clip(-32768, 32767).astype("<i2").tobytes())
            is_heard.stdin.flush()
            ringing = np.concatenate((ringing[BLOCK_FRAMES:], np.zeros(BLOCK_FRAMES, np.float32)))
    finally:
        for process in (hears, is_heard):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
