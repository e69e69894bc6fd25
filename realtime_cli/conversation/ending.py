"""Why a response was no success, in words for the user."""

from __future__ import annotations

from realtime_cli.conversation.records import Trouble
from realtime_cli.protocol.items import ErrorDetail, Response, StatusDetails

INCOMPLETE = {
    "max_output_tokens": "the reply was cut off at the limit of output tokens: raise --max-output-tokens",
    "content_filter": "the reply was cut off by the server's content filter",
}


def failure_of(response: Response) -> Trouble | None:
    """What to tell about a response that failed or is incomplete; None for one that completed or was cancelled."""
    details = response.status_details or StatusDetails()
    if response.status == "incomplete":
        reason = details.reason or "unknown"
        return Trouble(message=INCOMPLETE.get(reason, f"the reply is incomplete: {reason}"), code=reason)
    if response.status == "failed":
        error = details.error or ErrorDetail()
        message = error.message or error.code or "no reason given"
        return Trouble(message=f"the model failed to answer: {message}", code=error.code or error.type)
    return None
