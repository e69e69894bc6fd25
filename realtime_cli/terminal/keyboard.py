"""The keyboard of this platform: :class:`Keyboard`, with the same methods everywhere."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from realtime_cli.terminal.windows import Keyboard
else:
    from realtime_cli.terminal.posix import Keyboard

__all__ = ["Keyboard"]
