"""The session on the server: opened, set up once all that is offered to the model is known, and lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_cli.conversation.effects import Drop, Effect, OpenMic, Show
from realtime_cli.conversation.ending import Ending
from realtime_cli.conversation.facts import Lost
from realtime_cli.conversation.options import JoinedCall
from realtime_cli.conversation.parts import Parts
from realtime_cli.conversation.records import SessionStarted
from realtime_cli.conversation.tool_definitions import ToolDefinition
from realtime_cli.errors import ConnectionFailed, RealtimeError
from realtime_cli.protocol.dialects import dialect_of


class ServerSession:
    """See the module."""

    def __init__(self, parts: Parts, ending: Ending) -> None:
        self._parts = parts
        self._options = parts.options
        self._ending = ending
        self.begun = False
        """Whether the session on the current connection is set up."""
        self.model = ""
        self._tools: tuple[ToolDefinition, ...] | None = None if parts.options.offers_tools else ()
        self._mic_opened = False
        self.early_press = False
        """The talk key was pressed before the session was set up: it counts from there."""

    def created(self, session: Mapping[str, Any], now: float) -> list[Effect]:
        """The server opened a session; told again, it is passed by."""
        parts = self._parts
        if parts.session_id:
            return self._named(str(session.get("model") or "")) if self._options.joined else []
        parts.links.link.greeted(session)
        corrected = parts.setup.correct(dialect_of(session))
        if parts.links.lost:
            return [*corrected, *self._begin(now)]
        model = parts.links.link.model or str(self._options.session.get("model") or "")
        return [*corrected, *self._named(model), *self._begin(now)]

    def joined(self, call: JoinedCall, now: float) -> list[Effect]:
        """The connection to a call of another client's is there: its session was opened before."""
        return self.created({"id": call.id, "model": call.model}, now)

    def tools_ready(self, definitions: tuple[ToolDefinition, ...], now: float) -> list[Effect]:
        """What is offered to the model is known."""
        self._tools = definitions
        return self._begin(now)

    def described_tools(self) -> list[str]:
        """What the model may call, a line each."""
        if not self._tools:
            return ["the model is offered no functions: see --tools and --mcp"]
        lines = ((tool.name, tool.description.strip().split("\n", 1)[0]) for tool in self._tools)
        return [f"{name}: {line or 'no description'}" for name, line in lines]

    def lose(self, fact: Lost, now: float) -> list[Effect]:
        """The connection was lost; one that never opened a session is not tried again."""
        continuity, timeouts = self._parts.continuity, self._parts.timeouts
        if not self.begun and not self._parts.links.lost and not self._options.joined:
            return self._ending.fail(fact.error, now)
        effects = continuity.lose(fact, now)
        if isinstance(effects, RealtimeError):
            return self._ending.fail(effects, now)
        self.begun = False
        timeouts.nobody_answers()
        if continuity.turn_failed and timeouts.inputs_ended and not self._parts.turns.waiting:
            problem = f"the connection was lost again before an answer came: {fact.error.problem}"
            return self._ending.fail(ConnectionFailed(problem, fact.error.remedy), now)
        self._ending.turn_failed = self._ending.turn_failed or continuity.turn_failed
        continuity.turn_failed = False
        return effects

    def drop(self, error: ConnectionFailed, now: float) -> list[Effect]:
        """Leave a connection that is of no use any more, and get another."""
        return [Drop(self._parts.links.link.epoch), *self.lose(Lost(error), now)]

    def _named(self, model: str) -> list[Effect]:
        """Say which session it is; in a call that was joined, again when the model turns out to be another one."""
        if self._options.joined and model == self.model != "":
            return []
        parts = self._parts
        self.model = parts.meter.model = model or self.model
        return [Show(SessionStarted(id=parts.session_id, model=self.model, provider=self._options.provider))]

    def _begin(self, now: float) -> list[Effect]:
        """Set the session up, once it is there and all that is offered to the model is known."""
        parts = self._parts
        if not parts.session_id or self._tools is None or self.begun:
            return []
        self.begun = True
        parts.calls.definitions = {definition.name: definition for definition in self._tools}
        parts.setup.tools = [definition.for_session() for definition in self._tools]
        effects = parts.continuity.restore(now)
        listens = self._options.listens and not self._options.joined
        if listens and not self._options.push_to_talk and not self._mic_opened:
            self._mic_opened = True
            effects.append(OpenMic())
        if self.early_press:
            self.early_press = False
            effects += parts.turns.talk_key.pressed(now)
        return effects
