"""What each of the server's events is to the conversation, and who is told of it."""

from __future__ import annotations

from realtime_cli.conversation.asking import Asking
from realtime_cli.conversation.effects import Effect, Show
from realtime_cli.conversation.ending import Ending
from realtime_cli.conversation.event_ids import EventIds
from realtime_cli.conversation.failures import failure_of
from realtime_cli.conversation.parts import Parts
from realtime_cli.conversation.server_errors import ServerErrors
from realtime_cli.conversation.server_session import ServerSession
from realtime_cli.conversation.states import ResponseState
from realtime_cli.protocol import conversation_events as c
from realtime_cli.protocol import response_events as r
from realtime_cli.protocol.codec import ServerEvent
from realtime_cli.protocol.items import Item, Response


class ServerEvents:
    """See the module."""

    def __init__(self, parts: Parts, session: ServerSession, asking: Asking, ending: Ending, sent: EventIds) -> None:
        """``sent``: the ids of the client's events, by which the server says what an error answers."""
        self._parts = parts
        self._session = session
        self._asking = asking
        self._ending = ending
        self._sent = sent
        self.errors = ServerErrors(parts, session, ending)

    def handle(self, event: ServerEvent, now: float) -> list[Effect]:
        """What is to be done about an event of the server's."""
        parts = self._parts
        if (aside := parts.out_of_band.take(event, now)) is not None:
            return aside
        if isinstance(event, _ANSWERS_TO_UPDATE):
            parts.setup.answered()
        match event:
            case c.SessionCreated():
                return self._session.created(event.session, now)
            case c.ConversationCreated():
                # xAI's first event; elsewhere, if at all, it comes behind the one that opens the session.
                return self._session.created({}, now)
            case c.ErrorEvent():
                return self.errors.error(event.error, self._sent.cause_of(event.error), now)
            case c.SpeechStarted():
                return parts.turns.speech_started(event, now)
            case c.SpeechStopped():
                return parts.turns.speech_stopped(event, now)
            case c.InputAudioBufferCommitted():
                parts.turns.committed(event, now)
            case c.ConversationItemAdded() | c.ConversationItemCreated() | c.ConversationItemDone():
                return self._item(event.item, event.previous_item_id, now)
            case c.TranscriptionCompleted():
                paid = parts.meter.transcribed(event.item_id, event.usage)
                return [*parts.turns.transcribed(event, now), *paid]
            case c.TranscriptionDelta() | c.TranscriptionFailed():
                return parts.turns.transcribed(event, now)
            case r.ResponseCreated():
                return parts.responses.created(event.response, now)
            case r.OutputItemAdded() | r.OutputItemDone():
                began = parts.responses.item(event, now)
                if parts.options.joined:
                    parts.call_playback.has_item(event.response_id, event.item.id or "")
                return began + parts.calls.item(event, now, may_call=self._asking.may_call)
            case r.FunctionArgumentsDone():
                parts.calls.announced.arguments(event)
            case r.McpListToolsFailed():
                return parts.calls.listing_failed(event.item_id)
            case (
                r.OutputTextDelta()
                | r.OutputTextDone()
                | r.OutputTranscriptDelta()
                | r.OutputTranscriptDone()
                | r.OutputAudioDelta()
                | r.OutputAudioDone()
            ):
                return parts.responses.content(event, now)
            case r.ResponseDone():
                return self._response_done(event.response, now)
            case _ if parts.options.joined:
                return self._in_call(event, now)
        return []

    def _in_call(self, event: ServerEvent, now: float) -> list[Effect]:
        """What is heard in a call of another client's."""
        parts, playback = self._parts, self._parts.call_playback
        match event:
            case c.OutputAudioBufferStarted():
                item_id = playback.started(event.response_id, now)
                return parts.meter.audible(item_id, parts.turns.ended_at, parts.turns.committed_at, now)
            case c.OutputAudioBufferStopped():
                playback.stopped(event.response_id, now)
            case c.OutputAudioBufferCleared():
                playback.cleared(event.response_id, now)
            case c.ConversationItemTruncated():
                playback.truncated(event.item_id, event.audio_end_ms, now)
            case c.ConversationItemRetrieved():
                playback.retrieved(event.item)
        return []

    def _item(self, item: Item, previous_item_id: str | None, now: float) -> list[Effect]:
        if item.type == "mcp_call" and item.status not in ("in_progress", "incomplete"):
            return self._parts.calls.remote_done(item, "", now)
        if item.type == "mcp_list_tools":
            self._parts.calls.announced.listing(item)
        else:
            self._parts.turns.item(item, previous_item_id, now)
        return []

    def _response_done(self, response: Response, now: float) -> list[Effect]:
        parts = self._parts
        if parts.responses.is_over(response.id):
            return parts.meter.out_of_band_done(response)
        calls = parts.calls.response_done(response, now, may_call=self._asking.may_call)
        effects, reply = parts.responses.done(response, now)
        parts.call_playback.response_done(response.id, now)
        effects += [*calls, *parts.history.release(now)]
        effects += parts.meter.response_done(response, parts.turns.ended_at, now)
        whole = reply is not None and reply.state is ResponseState.DONE
        if (again := self._asking.again_later(response, reply, now)) is not None:
            return effects + again
        failure = failure_of(response, empty=whole and reply is not None and reply.empty and not parts.calls.open)
        self._ending.turn_failed = failure is not None
        # Where nobody can speak, it was not the user who interrupted.
        self._ending.turn_cancelled = whole and response.status == "cancelled" and not parts.options.listens
        parts.out_of_band.turn_over(response)
        return [*effects, Show(failure)] if failure else effects


_ANSWERS_TO_UPDATE = (
    *(c.SessionUpdated, c.ConversationItemAdded, c.ConversationItemCreated, c.ConversationItemDone),
    *(c.InputAudioBufferCommitted, r.ResponseCreated, r.ResponseDone),
)
"""What a server sends when it has taken the update, or what was sent behind that."""
