"""What a transcription tells beside the transcript: why there is none, what is missing of it, and what it cost."""

from __future__ import annotations

from collections.abc import Iterable

from realtime_cli.conversation.effects import Effect, Show
from realtime_cli.conversation.records import TranscriptionUsage, Trouble
from realtime_cli.conversation.session_setup import reason_given
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.segments import Segment
from realtime_cli.errors import ConnectionFailed, InputError, RealtimeError, TurnError
from realtime_cli.printable import clock
from realtime_cli.protocol.conversation_events import TranscriptionCompleted
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.providers.prices import FREE

NO_SPEECH = Trouble(message="the server found no speech: with --vad off the program finds it by itself")


def no_session(error: ErrorDetail, refusal: InputError) -> InputError:
    """Why there is no session: many compatible servers have conversations only."""
    if error.param in ("session.type", "type") or "transcription_session" in error.message:
        return InputError(
            f"the server has no transcription sessions ({reason_given(error)})", "use --local, or name another server"
        )
    return refusal


def silent_server(options: TranscriptionOptions, *, opened: bool) -> RealtimeError:
    """The error for a server that owes a session or a transcript, and says nothing."""
    if opened:
        return TurnError(f"the server sent no transcript for {options.answer_timeout_s:g} s", "try again")
    return ConnectionFailed(
        f"the server took the connection but opened no session within {options.hello_timeout_s:g} s",
        "is this a Realtime endpoint? check --base-url and --dialect",
    )


def untranscribed(segments: Iterable[Segment]) -> Trouble:
    """Speech for which no transcript came."""
    at = ", ".join(clock((segment.start_ms or 0) // 1000) for segment in segments)
    return Trouble(message=f"no transcript came for what was said at {at}")


def usage_of(event: TranscriptionCompleted, options: TranscriptionOptions) -> list[Effect]:
    """What a transcript cost, where the server tells how much it counted."""
    usage = event.usage
    if usage is None:
        return []
    price = FREE if options.prices is None else options.prices.price(options.model)
    told = TranscriptionUsage(
        item_id=event.item_id,
        seconds=usage.seconds,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        usd=None if price is None else price.of(usage),
    )
    return [Show(told)]
