"""The outcome of one check."""

from __future__ import annotations

from enum import Enum

import msgspec

from realtime_cli.errors import RealtimeError

ANY_REMEDY = "run it again with --debug, which shows what goes over the wire"
"""For what a server does without a reason, and no remedy is known for."""


class Status(Enum):
    """``chat`` works as far as this check goes; it works, but; it does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """What was looked at, what was found, and the command or setting that mends it.

    ``exit_code`` is what ``chat`` would end with: 0 unless the check failed.
    """

    name: str
    status: Status
    finding: str
    fix: str = ""
    exit_code: int = 0


def good(name: str, finding: str) -> Check:
    """All is well."""
    return Check(name, Status.OK, finding)


def doubtful(name: str, finding: str, fix: str) -> Check:
    """``chat`` works, but not as well as it could."""
    return Check(name, Status.WARN, finding, fix)


def failed(name: str, error: RealtimeError, fix: str = "") -> Check:
    """``chat`` would end with ``error``. ``fix`` where the error's own remedy is more of an explanation."""
    finding = f"{error}" if fix else error.problem
    return Check(name, Status.FAIL, finding, fix or error.remedy or ANY_REMEDY, error.exit_code)
