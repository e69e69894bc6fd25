"""What the command line itself says on standard error: one line each, safe for a terminal and without secrets."""

from __future__ import annotations

import sys
import traceback

from realtime_cli.printable import neutralise, one_line
from realtime_cli.protocol.redaction import loggable, redact


def complain(problem: object) -> None:
    """Why the program ends."""
    tell(f"realtime-cli: {problem}")


def tell(text: str) -> None:
    """One line."""
    sys.stderr.write(f"{one_line(redact(text))}\n")


def tell_traceback(error: BaseException) -> None:
    """Where an error came from, for ``--debug``."""
    sys.stderr.write(neutralise(redact("".join(traceback.format_exception(error)))))


def tell_wire(direction: str, message: str) -> None:
    """A message that was sent or received, for ``--debug``."""
    tell(f"{direction} {loggable(message)}")
