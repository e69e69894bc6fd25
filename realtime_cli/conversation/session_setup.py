"""The ``session.update``, until the server has taken it: in which dialect, and with what.

The server is taken to speak one dialect, and corrects that at most once by what it sends. An update that it refuses is
sent again without what the server names, or without what the program put in by itself; what the user asked for is
never left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from realtime_cli.conversation.effects import Effect, Send, Show, Speak
from realtime_cli.conversation.facts import Reconfigured
from realtime_cli.conversation.records import Notice
from realtime_cli.errors import InputError
from realtime_cli.protocol.client_events import ClientEvent, SessionUpdate
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.error_codes import BENIGN, TURN, code_of
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.protocol.session_body import body_of, dialect_of_update, settings_of, without_optional

ANSWERING = ("create_response", "interrupt_response")
"""What is not about how turns are found."""

CHANGE = "change_"
"""How the ids of updates begin that the user asked for in mid-conversation."""

MAX_WORDS = 160
"""How much of what a server says is repeated: some send pages of a validator's output."""


class SessionSetup:
    """See the module. What was found out on one connection holds for later ones."""

    def __init__(
        self,
        session: Mapping[str, Any],
        otherwise: Mapping[Dialect, Mapping[str, Any]],
        left_out: Mapping[Dialect, Sequence[str]],
        own: frozenset[str] = frozenset(),
    ) -> None:
        """``own``: names of settings that the program chose by itself, beside explicit nulls and audio formats.

        ``left_out``: what the user should know of the options that one of the other dialects cannot say.
        """
        self._left_out = left_out
        self._session = session
        self._otherwise = otherwise
        self._own = own
        self._before_change = session, otherwise
        self._numbers = count(1)
        self._shown: Dialect | None = None
        self._spoken: Dialect | None = None
        self._unanswered = self._tried = False
        self.tools: Sequence[Mapping[str, Any]] = ()
        """Functions for the model, which look the same in all dialects."""

    def update(self, event_id: str | None = None) -> Send:
        """The ``session.update`` in the dialect that the server is taken to speak now."""
        self._unanswered = True
        offered = {"tools": [*self._session.get("tools", ()), *self.tools]} if self.tools else {}
        return Send(SessionUpdate(session={**self._session, **offered}, event_id=event_id))

    def additions(self) -> list[Effect]:
        """The update for a session that is set up already, if there is anything to add to it."""
        return [self.update()] if self.tools or self._session.keys() - {"type"} else []

    def speak(self) -> list[Effect]:
        """Speak the dialect that was found out on an earlier connection, if any was."""
        return [Speak(self._spoken)] if self._spoken else []

    def correct(self, shown: Dialect | None) -> list[Effect]:
        """Change to the dialect that the server has ``shown``; nothing when that is spoken, or changed before."""
        self._shown = shown or self._shown
        if shown is None or shown not in self._otherwise:
            return []
        self._session, self._otherwise = self._otherwise[shown], {}
        self._spoken = shown
        texts = [f"this server speaks the {shown.value} dialect: going on in that", *self._left_out.get(shown, ())]
        return [Speak(shown), *(Show(Notice(text=text)) for text in texts)]

    def change(self, change: Reconfigured) -> list[Effect]:
        """What the user changes in mid-conversation, in an update of its own: refused, it ends nothing."""
        self._before_change = self._session, self._otherwise
        after, changed = _changed(self._session, change)
        self._session = after
        self._otherwise = {dialect: _changed(body, change)[0] for dialect, body in self._otherwise.items()}
        return [Send(SessionUpdate(session=changed, event_id=f"{CHANGE}{next(self._numbers)}"))]

    def change_refused(self, cause: ClientEvent | None) -> bool:
        """Whether an error is about a change, which is then undone."""
        if not isinstance(cause, SessionUpdate) or not (cause.event_id or "").startswith(CHANGE):
            return False
        self._session, self._otherwise = self._before_change
        return True

    def answered(self) -> None:
        """The server confirmed the update, or answered what was sent behind it."""
        self._unanswered = False

    def refused(
        self, error: ErrorDetail, cause: ClientEvent | None, event_id: str | None = None
    ) -> list[Effect] | InputError | None:
        """What an error means for the update: None where it is about something else, as far as can be told.

        Else the update again, without what was refused and with a word about it; or, where there is nothing to leave
        out, the error to end with. Servers that do not repeat ids of events answer them in order.
        """
        if not self.may_be_about_update(error, cause):
            return None
        settings = settings_of(self._session)
        named = _named(settings, (error.param or "").removeprefix("session."))
        if again := self._again(error, settings, named, event_id):
            return again
        return self.refusal(error) if named or self._tried or isinstance(cause, SessionUpdate) else None

    def may_be_about_update(self, error: ErrorDetail, cause: ClientEvent | None) -> bool:
        """Whether an error may be the answer to the update."""
        if cause is not None or error.event_id:
            return isinstance(cause, SessionUpdate)
        code = code_of(error)
        of_session = (error.param or "").startswith("session.")
        return self._unanswered and (of_session or (code not in TURN and code not in BENIGN))

    def _again(
        self, error: ErrorDetail, settings: Mapping[str, Any], named: set[str], event_id: str | None
    ) -> list[Effect]:
        if settings.get("type") == "transcription" and dialect_of_update(self._session) is Dialect.BETA:
            # A transcription's: without its type it goes out as session.update, and some servers know no other event.
            self._session = {name: value for name, value in self._session.items() if name != "type"}
            return [self.update(event_id)]
        kept = without_optional(settings, self._own)
        if named:
            if named & kept.keys():
                return []
            kept = {path: value for path, value in settings.items() if path not in named}
        left_out = sorted({path.rpartition(".")[2] for path in settings.keys() - kept.keys()})
        if not left_out:
            return []
        self._session, self._tried = body_of(kept), True
        text = f"the server refuses some options ({reason_given(error)}): going on without {', '.join(left_out)}"
        return [Show(Notice(text=text)), self.update(event_id)]

    def refusal(self, error: ErrorDetail) -> InputError:
        """The error to end with where the session cannot be had as it was asked for."""
        spoken, shown = dialect_of_update(self._session), self._shown
        if shown is not None and shown is not spoken:
            remedy = f"it speaks the {shown.value} dialect: leave out --dialect {spoken.value}"
        else:
            remedy = "change it or leave it out"
        return InputError(f"the server refuses an option: {reason_given(error)}", remedy)


def _changed(body: Mapping[str, Any], change: Reconfigured) -> tuple[dict[str, Any], dict[str, Any]]:
    """A session with a change in it, and that change alone."""
    nested = dialect_of_update(body) is Dialect.GA
    before = settings_of(body)
    settings: dict[str, Any] = {} if change.instructions is None else {"instructions": change.instructions}
    if change.voice is not None:
        settings["audio.output.voice" if nested else "voice"] = change.voice
    if change.vad is not None:
        path = "audio.input.turn_detection" if nested else "turn_detection"
        kept = {name: value for name, value in (before.get(path) or {}).items() if name in ANSWERING}
        settings[path] = {"type": f"{change.vad}_vad", **kept}
    kind = {"type": body["type"]} if "type" in body else {}
    return body_of(before | settings), kind | body_of(settings)


def reason_given(error: ErrorDetail) -> str:
    """The first line of what the server says, or its code."""
    words = " ".join(error.message.strip().split("\n", 1)[0].split()).rstrip(":")
    return words[:MAX_WORDS] or code_of(error) or "no reason given"


def _named(settings: Mapping[str, Any], param: str) -> set[str]:
    """The settings that an error's parameter is about: one, all in a group, or one that it is inside of."""
    if not param:
        return set()
    inside = (".", "[")
    return {
        path
        for path in settings
        if path == param or path.startswith(f"{param}.") or param.startswith(tuple(path + mark for mark in inside))
    }
