"""Why something was no success, in words for the user."""

from __future__ import annotations

import re

from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import Notice, Trouble
from realtime_cli.errors import ConnectionFailed, RealtimeError, TurnError
from realtime_cli.protocol.error_codes import code_of, remedy_for
from realtime_cli.protocol.items import ErrorDetail, Response, StatusDetails

INCOMPLETE = {
    "max_output_tokens": "the reply was cut off at the limit of output tokens: raise --max-output-tokens",
    "content_filter": "the reply was cut off by the server's content filter",
}

RATE_LIMIT = "rate_limit_exceeded"
USUAL_WAIT_S = 5.0
LONGEST_WAIT_S = 60.0
"""How long it is waited at a rate limit that names no time, and at most."""

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)(?![a-z])")
_WAIT = re.compile(r"\bin ((?:\d+(?:\.\d+)?\s*(?:ms|s|m)(?![a-z])\s*)+)")

CANCELLED = Trouble(message="the server cancelled the reply", code="cancelled")
"""A reply is not whole, and nobody interrupted it."""


def failure_of(response: Response, *, empty: bool) -> Trouble | None:
    """What to tell about a response that failed or is incomplete; None for one that completed or was cancelled.

    An ``empty`` one has failed as well: some servers (LocalAI) call it completed.
    """
    details = response.status_details or StatusDetails()
    if response.status == "incomplete":
        reason = details.reason or "unknown"
        return Trouble(message=INCOMPLETE.get(reason, f"the reply is incomplete: {reason}"), code=reason)
    if response.status == "failed":
        error = details.error or ErrorDetail()
        return trouble_of(error, "the model failed to answer: " + (error.message or error.code or "no reason given"))
    if empty and response.status != "cancelled":
        return Trouble(message="the server sent an empty reply: its own log may say why", code="empty")
    return None


def asked_to_wait_s(response: Response) -> float | None:
    """For how long a response that failed at a rate limit asks to wait, at most a minute; None for any other.

    OpenAI writes "Please try again in 6.2s", "in 20ms" or "in 1m30s".
    """
    details = response.status_details or StatusDetails()
    error = details.error or ErrorDetail()
    if response.status != "failed" or code_of(error) != RATE_LIMIT:
        return None
    named = _WAIT.search(error.message)
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in _SPAN.findall(named[1])) if named else USUAL_WAIT_S
    return min(seconds, LONGEST_WAIT_S)


def trouble_of(error: ErrorDetail, words: str = "") -> Trouble:
    """What to tell about an error after which the conversation goes on, with the remedy if one is known."""
    code = code_of(error)
    said = words or error.message or "the server reports an error"
    remedy = remedy_for(code, words=error.message)
    return Trouble(message=f"{said.rstrip('.')}: {remedy}" if remedy else said, code=code or None)


def silent_server(options: ConversationOptions, *, opened: bool) -> RealtimeError:
    """The error for a server that owes something and says nothing."""
    if opened:
        return TurnError(f"the server gave no answer for {options.answer_timeout_s:g} s", "try again")
    return ConnectionFailed(
        f"the server took the connection but opened no session within {options.hello_timeout_s:g} s",
        "is this a Realtime endpoint? check --base-url and --dialect",
    )


def unanswered(options: ConversationOptions) -> Notice:
    """What to tell of something that was heard and got no answer: it may have been no speech."""
    return Notice(text=f"the server gave no answer for {options.answer_timeout_s:g} s to what it heard")
