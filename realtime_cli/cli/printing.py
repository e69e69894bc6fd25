"""What the command line itself says on standard error: one line each, safe for a terminal and without secrets."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress

from realtime_cli.printable import neutralise, one_line
from realtime_cli.protocol.redaction import redact, redact_users


def complain(problem: object, secrets: Iterable[str] = ()) -> None:
    """Why the program ends, or what it does not do."""
    tell(f"realtime-cli: {problem}", secrets)


def tell(text: str, secrets: Iterable[str] = ()) -> None:
    """One line."""
    _write(f"{one_line(_safe(text, secrets))}\n")


def tell_traceback(error: BaseException, secrets: Iterable[str] = ()) -> None:
    """Where an error came from, for ``--debug``. Libraries put headers and answers into their exceptions."""
    _write(neutralise(_safe("".join(traceback.format_exception(error)), secrets)))


def tell_wire(direction: str, message: str) -> None:
    """A message that was sent or received, which the transport has freed of secrets; for ``--debug``."""
    tell(f"{direction} {message}")


def _write(text: str) -> None:
    # Where standard error cannot be written there is nobody to tell.
    with suppress(OSError):
        sys.stderr.write(text)


def _safe(text: str, secrets: Iterable[str]) -> str:
    return redact_users(redact(text, secrets))
