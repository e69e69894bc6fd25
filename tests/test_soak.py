"""A day of conversation by an accelerated clock, both cores joined in memory, with faults at every edge.

``SOAK_TURNS`` makes it several days.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest

from realtime_cli.audio.core.pcm import ms_to_frames
from realtime_cli.audio.core.playout import Playout
from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import AssistantSaid, ConnectionChanged, Phase, Trouble, UserSaid
from realtime_cli.protocol.dialects import Dialect, from_wire, to_wire
from realtime_cli.protocol.session_body import session_update
from realtime_cli.protocol.session_options import SessionOptions
from realtime_cli.server.core.effects import StartReply
from realtime_cli.server.core.facts import ReplyFinished, ReplyPiece
from realtime_cli.server.listening.endpointing import MaybeEnded, SpeechStarted, SpeechStopped
from tests.continuity_driver import GONE
from tests.conversation_driver import heard, play
from tests.local_core_driver import SECOND, Driver

TURNS = int(os.environ.get("SOAK_TURNS", "40"))
PAUSE_S = 24 * 3600.0 / 40
"""Between two turns: forty are a day, in which many a session comes to its age limit."""
SESSION_S = 3600
FAULTS = 0.06
"""How likely the connection breaks at any one edge."""

SEEDS = [1] if TURNS == 40 else [1, 2, 3]


class Day:
    """Both ends and the network between them; the test plays the user, the engines, the loudspeaker and the clock."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        options = SessionOptions(transcription_model="local")
        self.client = Conversation(
            ConversationOptions(
                provider="local", session=session_update(options, Dialect.GA), reconnect_s=600.0, seed=seed
            )
        )
        self.playout = Playout()
        self.records: list[Any] = []
        self.resent_from: float | None = None
        self.now = 0.0
        self.servers: dict[int, Driver] = {}
        self._crossed: dict[int, int] = {}
        self.epoch = 1
        self.opened_standby: list[int] = []
        self._open(1)

    @property
    def server(self) -> Driver:
        return self.servers[self.epoch]

    def _open(self, epoch: int) -> None:
        self.servers[epoch] = Driver()
        self._crossed[epoch] = 0
        self._tell_from(epoch, f.Opened(self.now))
        self.deliver()

    def _tell_from(self, epoch: int, fact: Any) -> None:
        self.tell(fact if epoch == self.epoch else f.OnStandby(epoch, fact))

    def deliver(self) -> None:
        """Let messages cross until none is left."""
        for epoch in list(self.servers):
            while epoch in self.servers and self._crossed[epoch] < len(self.servers[epoch].events):
                event = self.servers[epoch].events[self._crossed[epoch]]
                self._crossed[epoch] += 1
                if event["type"] == "session.created":
                    event = {**event, "session": {**event["session"], "expires_at": self.now + SESSION_S}}
                self._tell_from(epoch, from_wire(json.dumps(event)))

    def tell(self, fact: Any) -> None:
        for effect in self.client.handle(fact, self.now):
            self._carry_out(effect)

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        until = self.now + seconds
        while (due := self.client.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            self.tell(f.Tick())
            self.deliver()
        self.now = until

    def act(self, act: Any) -> None:
        act()
        self.deliver()

    def hear_all(self) -> None:
        while self.client.audible:
            self.playout.pull(ms_to_frames(1000))
            self.wait(1.0)
            for part in self.playout.progress():
                self.tell(heard(part))
            self.deliver()

    def maybe_break(self) -> bool:
        """Perhaps the network breaks here, or the machine sleeps; whether it did, and there is another server now."""
        if self.chance.random() < 0.03:
            self.tell(f.Slept(self.chance.uniform(5, 60)))
        if self.chance.random() >= FAULTS:
            return False
        self.resent_from = None
        epoch = self.epoch
        del self.servers[epoch]
        self.tell(f.Lost(GONE, self.chance.uniform(0, 5)))
        if self.chance.random() < 0.3:
            self.tell(f.Lost(GONE))  # the other thread's word of the same
        while self.client.snapshot().phase is Phase.RECONNECTING:
            self.wait(1.0)
        assert self.epoch != epoch
        return True

    def _carry_out(self, effect: e.Effect) -> None:
        match effect:
            case e.Send():
                server = self.servers.get(effect.epoch or self.epoch)
                assert server is not None, "something was sent to nobody"
                message = json.loads(to_wire(effect.event, Dialect.GA))
                server.send(message.pop("type"), **message)
            case e.Connect(standby=True):
                self._open(effect.epoch)
            case e.Connect():
                self.epoch = effect.epoch
                if self.chance.random() < 0.4:
                    self.tell(f.Lost(GONE))
                else:
                    self._open(effect.epoch)
            case e.Use():
                del self.servers[self.epoch]
                self.epoch = effect.epoch
            case e.Drop():
                self.servers.pop(effect.epoch, None)
            case e.ResumeMic():
                self.resent_from = self.now - effect.seconds
            case e.Play() | e.EndOfAudio() | e.Flush():
                for told in play(self.playout, effect):
                    self.tell(told)
            case e.Show():
                self.records.append(effect.record)
            case e.End():
                raise AssertionError(f"it ended: {self.records[-3:]}")

    def shown(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    # One turn, edge by edge.

    def turn(self, question: str, answer: tuple[str, str]) -> None:
        self.maybe_break()
        while True:
            began = self.now
            server = self.server
            server.append()
            self.act(lambda: self.server.tell(SpeechStarted(0)))
            self.wait(2.0)
            if self.maybe_break():
                assert self.resent_from is not None
                assert self.resent_from <= began
                continue  # the sentence is heard once more
            self.server.tell(MaybeEnded(700))
            self.server.said(question)
            self.act(lambda: self.server.tell(SpeechStopped(1000)))
            break
        if self.maybe_break():
            # It was understood, and is asked again by its words.
            assert self.server.last(StartReply)
        response = self.server.last(StartReply).response_id
        self.wait(0.5)
        self.act(lambda: self.server.tell(ReplyPiece(response, answer[0], SECOND)))
        if not self.maybe_break():
            self.act(lambda: self.server.tell(ReplyPiece(response, answer[1], SECOND), ReplyFinished(response, False)))
            self.maybe_break()
        self.hear_all()
        self.maybe_break()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_of_conversation_with_faults_at_every_edge_ends_equal_to_its_script(seed: int) -> None:
    day = Day(seed)
    script = [(f"Question {n}?", (f"Answer {n} begins ", f"and ends {n}.")) for n in range(TURNS)]
    for question, answer in script:
        day.turn(question, answer)
        day.wait(PAUSE_S)
    day.wait(60.0)

    assert [record.text for record in day.shown(UserSaid)] == [question for question, _ in script]
    replies = [record.text for record in day.shown(AssistantSaid) if record.text]
    whole = 0
    answers = iter(replies)
    for _, (first, second) in script:
        reply = next(answers)
        assert (first + second).startswith(reply)
        whole += reply == first + second
    assert next(answers, None) is None
    assert whole > TURNS // 2
    assert day.shown(Trouble) == []
    states = [record.state for record in day.shown(ConnectionChanged)]
    assert states.count("lost") == states.count("restored") > TURNS // 10
    assert states.count("renewed") > 0

    # Nothing is left open, and both ends remember the same.
    assert day.client.snapshot().lines == ()
    assert day.client.snapshot().phase is Phase.LISTENING
    assert len(day.servers) <= 2
    day.act(lambda: day.server.spoken_turn("The last one?"))
    said = [r.text.strip() for r in day.records if isinstance(r, UserSaid | AssistantSaid) and r.text]
    remembered = [message.text.strip() for message in day.server.last(StartReply).messages]
    assert len(remembered) > 1
    assert remembered == said[-len(remembered) :]
