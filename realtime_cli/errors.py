"""The error tree: each error says what went wrong, what the user can do, and which exit code the program ends with.

Drivers translate their library's exceptions into these at the boundary; nothing above a driver catches a library's own.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class RealtimeError(Exception):
    """Root of every error that is shown to the user as one line instead of a traceback.

    ``problem`` says what is wrong and where, ``remedy`` what to do about it. Neither may hold a secret.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        """One line, fit for stderr."""
        text = f"{self.problem}: {self.remedy}" if self.remedy else self.problem
        return " ".join(text.split())


class TurnError(RealtimeError):
    """The model or the server failed the turn (exit code 1)."""

    exit_code = 1


class InputError(RealtimeError):
    """An option, a value or a file that the user named cannot be used (exit code 2)."""

    exit_code = 2


class ConfigError(RealtimeError):
    """No key for the provider, an unknown provider or profile, or a missing optional part (exit code 3)."""

    exit_code = 3


class ConnectionFailed(RealtimeError):
    """The server refused, does not answer, or was lost (exit code 4).

    ``recoverable``: trying again later may help; it does not for a wrong key, an unknown model or a used up quota.
    """

    exit_code = 4

    def __init__(self, problem: str, remedy: str = "", *, recoverable: bool = False) -> None:
        super().__init__(problem, remedy)
        self.recoverable = recoverable


class AudioError(RealtimeError):
    """No device, a device that refuses, or no PortAudio (exit code 5)."""

    exit_code = 5


class InternalError(RealtimeError):
    """A bug of this program's, in the thread named (exit code 1). The cause keeps its traceback for ``--debug``."""

    def __init__(self, thread: str, cause: BaseException) -> None:
        super().__init__(
            f"internal error in the {thread} thread: {type(cause).__name__}",
            "please report it with the output of --debug",
        )
        self.__cause__ = cause


FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS") if hasattr(errno, name))
"""What the system says where something cannot be written, whatever it is."""


def in_words(thread: str, error: BaseException) -> RealtimeError:
    """An error as it is shown: one of ours as it is, a full disk as what it is, and anything else as a bug."""
    if isinstance(error, RealtimeError):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        return InputError(f"cannot write {error.filename or 'the output'}", error.strerror or str(error))
    return InternalError(thread, error)


INTERRUPTED_EXIT_CODE = 130
"""Ctrl-C: 128 + SIGINT, as shells report it."""
