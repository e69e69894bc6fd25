"""Generated conversations whose connections come and go: what must hold whatever happens, and in whatever order."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.tool_definitions import ToolOutcome
from realtime_cli.protocol.client_events import ConversationItemCreate, SessionUpdate
from realtime_cli.protocol.codec import ServerEvent
from tests.continuity_driver import GONE, transcript
from tests.conversation_driver import HELLO, SESSION, done, reply, said, user_turn

CALL = {"id": "i", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}

FACTS: list[Any] = [
    f.Lost(GONE, 2.0),
    f.Opened(1000.0),
    HELLO,
    said("session.created", session={"id": "s", "type": "realtime", "expires_at": 1030}),
    said("session.updated"),
    said("error", error={"code": "session_expired", "message": "60 minutes"}),
    *user_turn("u"),
    transcript("u", "Hello."),
    *reply("r", "a", seconds=1),
    done("r"),
    done("r", status="cancelled"),
    done("r", status="failed", status_details={"error": {"code": "rate_limit_exceeded", "message": "in 2s"}}),
    said("response.output_item.done", response_id="r", item=CALL),
    f.ToolReturned("run_000001", ToolOutcome("7")),
    f.Heard("a", 0, 400, finished=False),
    f.Heard("a", 0, 1000, finished=True),
    f.Typed("Hello?"),
    f.Spoken("talk.wav"),
    f.Fed(),
    f.Wanted(),
    f.Pressed(),
    f.Released(),
    f.StopReply(),
    f.Slept(20.0),
    f.MicResumed(500),
    *(f.OnStandby(number, fact) for number in (2, 3) for fact in (f.Opened(1.0), HELLO, said("session.updated"))),
    f.OnStandby(2, f.Lost(GONE)),
]

FROM_A_CONNECTION = (f.Opened, f.Lost, ServerEvent)
"""What only a connection that lasts can bring."""

STEPS = st.lists(st.tuples(st.sampled_from(FACTS), st.floats(0, 4)), min_size=5, max_size=60)


class Watched:
    """A conversation, and what every connection was sent."""

    def __init__(self, **options: Any) -> None:
        self.core = Conversation(ConversationOptions(provider="test", session=SESSION, reconnect_s=30.0, **options))
        self.now = 0.0
        self.current: int | None = 1
        self.sent: dict[int, list[Any]] = {1: []}
        self.ended = False

    def tell(self, fact: Any) -> None:
        if isinstance(fact, f.Lost):
            self.current = None
        for effect in self.core.handle(fact, self.now):
            assert not self.ended
            self._take(effect)

    def _take(self, effect: e.Effect) -> None:
        match effect:
            case e.Connect():
                self.sent[effect.epoch] = []
                if not effect.standby:
                    self.current = effect.epoch
            case e.Use():
                assert self.sent[effect.epoch], "a session was taken that nobody had set up"
                self.current = effect.epoch
            case e.Drop():
                self.current = None if effect.epoch == self.current else self.current
            case e.Send():
                epoch = effect.epoch or self.current
                assert epoch is not None, f"sent while there was no connection: {effect.event}"
                self.sent[epoch].append(effect.event)
            case e.Flush():
                self.tell(f.Flushed(()))
            case e.CloseMic():
                self.tell(f.MicClosed(900))
            case e.End():
                self.ended = True


@settings(max_examples=200)
@given(STEPS, st.booleans(), st.booleans())
def test_whatever_becomes_of_the_connections_each_is_set_up_first_and_told_whole_calls(
    steps: list[tuple[Any, float]], listens: bool, push_to_talk: bool
) -> None:
    options = {"listens": listens, "push_to_talk": push_to_talk and listens, "server_decides_turns": listens}
    call = Watched(**options)
    call.tell(f.Opened(1000.0))
    call.tell(HELLO)
    for fact, seconds in steps:
        call.now += seconds
        while not call.ended and (due := call.core.deadline) is not None and due <= call.now:
            before = call.core.deadline
            call.tell(f.Tick())
            if call.core.deadline == before:
                break
        if call.current is not None or not isinstance(fact, FROM_A_CONNECTION):
            call.tell(fact)
    for epoch, events in call.sent.items():
        assert not events or isinstance(events[0], SessionUpdate), (epoch, events)
        items = [event.item for event in events if isinstance(event, ConversationItemCreate)]
        calls = {item.call_id for item in items if item.type == "function_call"}
        outputs = [item.call_id for item in items if item.type == "function_call_output"]
        if epoch > 1:
            assert set(outputs) <= calls | {"c"}
        assert len(call.core.snapshot().lines) < 64
