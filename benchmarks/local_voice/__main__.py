"""The embedded voice server's figures: ``python -m benchmarks.local_voice``, all of them in five minutes.

``--only turns``, ``barge-in``, ``sessions`` or ``echo`` measures that part alone.
"""

from __future__ import annotations

import shutil
import sys

from benchmarks.figures import arguments
from benchmarks.local_voice import interruptions, sessions, throughput, turns
from benchmarks.local_voice.clips import HUMAN, clips
from realtime_cli.server.local_server import load_server

ROUNDS = 3


def main() -> None:
    """Measure and print."""
    given = arguments(__doc__, only="", turns=50, interruptions=10, human=HUMAN)
    wanted = str(given["only"]) or "turns barge-in sessions echo"
    if shutil.which("espeak-ng") is None:
        sys.stdout.write("espeak-ng is missing\n")
        return
    said = clips(str(given["human"]), int(given["turns"]))
    if "turns" in wanted or "barge-in" in wanted:
        server = load_server(print)
        try:
            if "turns" in wanted:
                turns.measure(server, said)
            if "barge-in" in wanted:
                interruptions.measure(server, int(given["interruptions"]))
        finally:
            server.close()
    if "sessions" in wanted:
        sessions.measure(said)
    if "echo" in wanted:
        throughput.measure(ROUNDS)


if __name__ == "__main__":
    main()
