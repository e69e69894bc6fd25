"""How long tests wait, and how they wait for what tells nobody when it happens."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 120
"""No test waits that long when all is well; it ends one that hangs."""


def wait_until(true: Callable[[], object], what: str = "another thread", *, every_s: float = 0.005) -> None:
    """Look again and again whether another thread or program has come so far. Where one can be told, wait for that."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up_at, f"waited in vain for {what}"
        time.sleep(every_s)
