"""The client's core and the local server's core, joined in memory: no thread, no socket, every event official."""

from __future__ import annotations

import json
from typing import Any

from realtime_cli.audio.core.pcm import RATE_HZ, ms_to_frames
from realtime_cli.audio.core.playout import Playout
from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import AssistantSaid, Phase, UserSaid
from realtime_cli.protocol.client_events import ClientEvent
from realtime_cli.protocol.dialects import Dialect, from_wire, to_wire
from realtime_cli.protocol.session_body import session_update
from realtime_cli.protocol.session_options import SessionOptions
from realtime_cli.server.core.effects import StartReply
from realtime_cli.server.core.facts import ReplyPiece
from realtime_cli.server.listening.endpointing import MaybeEnded, SpeechStarted, SpeechStopped
from tests.conversation_driver import heard, play
from tests.local_core_driver import SECOND, Driver
from tests.schema_check import check_client_event

Q = "What is the tallest mountain?"
A1, A2 = "The tallest mountain is Mount Everest. ", "It stands in the Himalayas."


class Call:
    """Both ends of a conversation; messages cross as JSON, and the test plays the engines and the clock."""

    def __init__(self, **wanted: Any) -> None:
        options = SessionOptions(transcription_model="local", **wanted)
        spoken = options.vad != "off"
        self.server = Driver()
        self.client = Conversation(
            ConversationOptions(
                provider="local",
                session=session_update(options, Dialect.GA),
                server_decides_turns=spoken,
                listens=spoken,
            )
        )
        self.playout = Playout()
        self.records: list[Any] = []
        self.exit_code: int | None = None
        self._crossed = 0
        self.deliver()

    def deliver(self) -> None:
        """Let messages cross until none is left."""
        while self._crossed < len(self.server.events):
            event = self.server.events[self._crossed]
            self._crossed += 1
            self.tell(from_wire(json.dumps(event)))

    def tell(self, fact: f.Fact) -> None:
        """Tell the client a fact."""
        for effect in self.client.handle(fact, 0.0):
            self._carry_out(effect)

    def hear(self, ms: int) -> None:
        """Let the loudspeaker play, and the client know how far it came."""
        self.playout.pull(ms_to_frames(ms))
        for part in self.playout.progress():
            self.tell(heard(part))
        self.deliver()

    def engines(self, act: Any) -> None:
        """Let the server's engines or ears do something."""
        act()
        self.deliver()

    def interrupt(self, words: str) -> None:
        """The user speaks; the client is told at the first sound, long before the words are known."""
        self.server.append()
        self.engines(lambda: self.server.tell(SpeechStarted(5000)))
        self.server.tell(MaybeEnded(6000))
        self.server.said(words)
        self.engines(lambda: self.server.tell(SpeechStopped(6300)))

    def shown(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    def _carry_out(self, effect: e.Effect) -> None:
        match effect:
            case e.Send():
                self._send(effect.event)
            case e.Play() | e.EndOfAudio() | e.Flush():
                for told in play(self.playout, effect):
                    self.tell(told)
            case e.Show():
                self.records.append(effect.record)
            case e.End():
                self.exit_code = effect.exit_code

    def _send(self, event: ClientEvent) -> None:
        message = json.loads(to_wire(event, Dialect.GA))
        check_client_event(message)
        kind = message.pop("type")
        self.server.send(kind, **message)


def test_a_typed_turn_crosses_both_cores() -> None:
    call = Call(vad="off", text_only=True)
    call.tell(f.Typed("Hello?"))
    call.deliver()
    call.tell(f.InputsEnded())
    call.engines(lambda: call.server.replied(("Good ", b""), ("day.", b"")))
    assert [said.text for said in call.shown(AssistantSaid)] == ["Good day."]
    assert call.exit_code == 0


def test_a_spoken_turn_crosses_both_cores_and_is_over_when_it_was_heard() -> None:
    call = Call()
    call.engines(lambda: call.server.spoken_turn(Q))
    call.engines(lambda: call.server.replied((A1, SECOND), (A2, SECOND)))
    assert [said.text for said in call.shown(UserSaid)] == [Q]
    assert call.client.snapshot().phase is Phase.SPEAKING
    call.hear(2500)
    assert [(said.text, said.heard_ms) for said in call.shown(AssistantSaid)] == [((A1 + A2), 2000)]
    assert call.client.snapshot().phase is Phase.LISTENING


def test_after_an_interruption_both_ends_remember_only_what_was_heard() -> None:
    call = Call()
    call.engines(lambda: call.server.spoken_turn(Q))
    response = call.server.last(StartReply).response_id
    call.engines(lambda: call.server.tell(ReplyPiece(response, A1, 3 * SECOND), ReplyPiece(response, A2, 3 * SECOND)))
    call.hear(4500)

    call.interrupt("And the second?")
    (said,) = call.shown(AssistantSaid)
    assert said.interrupted
    assert said.heard_ms == 4500 + 5  # the fade is heard too
    assert said.text.startswith(A1.strip())
    assert not said.text.endswith("Himalayas.")
    remembered = call.server.last(StartReply).messages
    assert [message.role for message in remembered] == ["user", "assistant", "user"]
    assert remembered[1].text.startswith(A1.strip())
    assert "Himalayas" not in remembered[1].text


def test_a_reply_of_which_nothing_was_heard_is_forgotten_by_both_ends() -> None:
    call = Call()
    call.engines(lambda: call.server.spoken_turn(Q))
    call.engines(lambda: call.server.replied((A1, SECOND)))
    call.interrupt("Never mind.")
    remembered = call.server.last(StartReply).messages
    assert all(message.role == "user" for message in remembered)
    assert [(said.text, said.heard_ms) for said in call.shown(AssistantSaid)] == [("", 0)]
    assert call.playout.pending() <= RATE_HZ
