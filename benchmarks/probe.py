"""The program as it is, but for a line on stderr whenever audio of the server's gets into the playout buffer.

Each line is the time on the clock of ``time.monotonic``, which all processes of a Linux machine share.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from realtime_cli.__main__ import run
from realtime_cli.audio.core.playout import Playout


class Probed(Playout):
    """A playout buffer that tells when it was given something."""

    def push(self, *arguments: Any) -> None:
        """As its base."""
        super().push(*arguments)
        sys.stderr.write(f"{time.monotonic():.6f}\n")


if __name__ == "__main__":
    import realtime_cli.audio.core.playout

    realtime_cli.audio.core.playout.Playout = Probed  # type: ignore[misc]
    run()
