"""Drives a conversation whose connections a test can lose and give back."""

from __future__ import annotations

from typing import Any

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import ConnectionChanged
from realtime_cli.errors import ConnectionFailed
from tests.conversation_driver import HELLO, Drive, done, reply, said, user_turn

GONE = ConnectionFailed("the connection was lost", "check the network", recoverable=True)
NO_NAME = ConnectionFailed("the name example.org is unknown", "check the network", recoverable=True)
NO_KEY = ConnectionFailed("the server refuses the key", "check it")
TYPED: dict[str, Any] = {"listens": False, "server_decides_turns": False}


class ConnectedDrive(Drive):
    """A conversation with a connection that the test can lose and give back; ``hello`` is its first event."""

    def __init__(self, *, hello: f.Fact = HELLO, **options: Any) -> None:
        super().__init__(**{"reconnect_s": 60.0, **options})
        self.mark = 0
        self.tell(f.Opened(1000.0), hello)

    def lose(self, error: ConnectionFailed = GONE, silent_s: float = 0.0) -> ConnectedDrive:
        self.mark = len(self.effects)
        self.tell(f.Lost(error, silent_s))
        return self

    def regain(self) -> ConnectedDrive:
        """Let the next try succeed; what is sent from here on goes to another server."""
        self.until_tried()
        self.mark = len(self.effects)
        self.tell(f.Opened(2000.0), said("session.created", session={"id": "sess_2", "model": "m", "type": "realtime"}))
        return self

    def until_tried(self) -> None:
        """Let time pass until a connection is tried."""
        while not any(isinstance(x, e.Connect) for x in self.since):
            assert self.core.deadline is not None, "nothing is due"
            self.tell(f.Tick(), at=self.core.deadline)

    @property
    def since(self) -> list[e.Effect]:
        return self.effects[self.mark :]

    @property
    def told(self) -> list[str]:
        """What the new server was sent, in short."""
        short: list[str] = []
        for effect in self.since:
            if isinstance(effect, e.ResumeMic):
                short.append(f"microphone {effect.seconds:g}")
            if not isinstance(effect, e.Send):
                continue
            event: Any = effect.event
            kind = event.type.removeprefix("conversation.item.")
            if kind == "create":
                item = event.item
                words = item.words or item.output or item.arguments or ""
                kind = f"{item.role or item.type}: {words}"
            short.append(kind)
        return short

    @property
    def states(self) -> list[str]:
        return [record.state for record in self.shown(ConnectionChanged)]

    def answer(self, text: str, number: int) -> ConnectedDrive:
        """A whole reply, heard to its end."""
        self.tell(*reply(f"resp_{number}", f"item_{number}", seconds=1, text=text), done(f"resp_{number}"))
        self.tell(f.Heard(f"item_{number}", 0, 1000, finished=True))
        return self

    def turn(self, words: str, number: int) -> ConnectedDrive:
        self.tell(*user_turn(f"user_{number}"), transcript(f"user_{number}", words))
        return self


def transcript(item_id: str, words: str) -> Any:
    return said("conversation.item.input_audio_transcription.completed", item_id=item_id, transcript=words)
