"""The states of a response, of a spoken turn and of a function call, and the moves between them, as tables.

A pair that a table does not hold is no move: servers repeat, leave out and reorder events, and what cannot be is passed
by. Each table has one owner, which sends what a move sends: :class:`~.responses.Responses`, :class:`~.turns.Turns`,
:class:`~.tool_calls.ToolCalls`. All three belong to one connection (see their ``reset``).

A response, of which at most one is *coming* (ASKED, DOOMED) and one *current* (ACTIVE, DYING)::

    state    event        next     what the move sends
    (none)   ASKED        ASKED    response.create; nothing where the server answers a turn by itself
    (none)   BEGAN        ACTIVE   nothing: the server speaks unasked
    ASKED    BEGAN        ACTIVE
    ASKED    INTERRUPTED  DOOMED
    ASKED    DROPPED      DEAD     refused by the server, owed to what was only a noise, or given up
    DOOMED   BEGAN        DYING    response.cancel
    DOOMED   DROPPED      DEAD
    ACTIVE   INTERRUPTED  DYING    response.cancel unless the server does it; a flush, then truncate or delete
    ACTIVE   ENDED        DONE     response.done, or another one began
    ACTIVE   DROPPED      DEAD     response.cancel: it stalled and is given up
    DYING    ENDED        DEAD
    DYING    DROPPED      DEAD

A spoken turn::

    state      event      next       what the move sends
    (none)     STARTED    SPEAKING   the reply in progress is interrupted
    SPEAKING   STOPPED    STOPPED
    SPEAKING   COMMITTED  COMMITTED  some servers tell of no end; a response is owed from here
    SPEAKING   DROPPED    NOISE      the next one began, or its end never came
    STOPPED    STARTED    SPEAKING   the same speech goes on
    STOPPED    COMMITTED  COMMITTED
    STOPPED    DROPPED    NOISE      no item was made of it in time
    COMMITTED  DROPPED    NOISE      its transcript is empty: nothing is owed to it

A function call::

    state    event     next      what the move sends
    WRITTEN  ASKED     ASKING    nothing: the user is asked
    WRITTEN  STARTED   RUNNING   the function is run; an approval is sent for a tool of the model's side
    WRITTEN  REFUSED   ANSWERED  an output that says why (for a tool of the model's side: a refusal)
    ASKING   STARTED   RUNNING   as above: the user said yes
    ASKING   REFUSED   ANSWERED  as above: the user said no
    ASKING   RETURNED  ANSWERED  nothing: the model's side ran it without waiting for an answer
    RUNNING  RETURNED  ANSWERED  the output (for a tool of the model's side: nothing)
    RUNNING  OVERDUE   GIVEN_UP  the run is cancelled, and an output says so
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum


class ResponseState(Enum):
    """How a response stands."""

    ASKED = "asked"
    DOOMED = "doomed"
    """Asked for, and interrupted before it began."""
    ACTIVE = "active"
    DYING = "dying"
    """Interrupted; the server may still send pieces of it."""
    DONE = "done"
    DEAD = "dead"
    """Over before its end; nothing of it is shown or played any more."""


class ResponseEvent(Enum):
    """What moves a response."""

    BEGAN = "began"
    INTERRUPTED = "interrupted"
    ENDED = "ended"
    DROPPED = "dropped"


class TurnState(Enum):
    """How a spoken turn stands."""

    SPEAKING = "speaking"
    STOPPED = "stopped"
    """The server makes an item of it, or drops it as a noise."""
    COMMITTED = "committed"
    NOISE = "noise"


class TurnEvent(Enum):
    """What moves a spoken turn."""

    STARTED = "started"
    STOPPED = "stopped"
    COMMITTED = "committed"
    DROPPED = "dropped"


class CallState(Enum):
    """How a function call stands."""

    WRITTEN = "written"
    ASKING = "asking"
    """The user is asked whether it may run."""
    RUNNING = "running"
    ANSWERED = "answered"
    GIVEN_UP = "given up"


class CallEvent(Enum):
    """What moves a function call."""

    ASKED = "asked"
    STARTED = "started"
    REFUSED = "refused"
    RETURNED = "returned"
    OVERDUE = "overdue"


RESPONSE_MOVES: Mapping[tuple[ResponseState, ResponseEvent], ResponseState] = {
    (ResponseState.ASKED, ResponseEvent.BEGAN): ResponseState.ACTIVE,
    (ResponseState.ASKED, ResponseEvent.INTERRUPTED): ResponseState.DOOMED,
    (ResponseState.ASKED, ResponseEvent.DROPPED): ResponseState.DEAD,
    (ResponseState.DOOMED, ResponseEvent.BEGAN): ResponseState.DYING,
    (ResponseState.DOOMED, ResponseEvent.DROPPED): ResponseState.DEAD,
    (ResponseState.ACTIVE, ResponseEvent.INTERRUPTED): ResponseState.DYING,
    (ResponseState.ACTIVE, ResponseEvent.ENDED): ResponseState.DONE,
    (ResponseState.ACTIVE, ResponseEvent.DROPPED): ResponseState.DEAD,
    (ResponseState.DYING, ResponseEvent.ENDED): ResponseState.DEAD,
    (ResponseState.DYING, ResponseEvent.DROPPED): ResponseState.DEAD,
}

TURN_MOVES: Mapping[tuple[TurnState, TurnEvent], TurnState] = {
    (TurnState.SPEAKING, TurnEvent.STOPPED): TurnState.STOPPED,
    (TurnState.SPEAKING, TurnEvent.COMMITTED): TurnState.COMMITTED,
    (TurnState.SPEAKING, TurnEvent.DROPPED): TurnState.NOISE,
    (TurnState.STOPPED, TurnEvent.STARTED): TurnState.SPEAKING,
    (TurnState.STOPPED, TurnEvent.COMMITTED): TurnState.COMMITTED,
    (TurnState.STOPPED, TurnEvent.DROPPED): TurnState.NOISE,
    (TurnState.COMMITTED, TurnEvent.DROPPED): TurnState.NOISE,
}

CALL_MOVES: Mapping[tuple[CallState, CallEvent], CallState] = {
    (CallState.WRITTEN, CallEvent.ASKED): CallState.ASKING,
    (CallState.WRITTEN, CallEvent.STARTED): CallState.RUNNING,
    (CallState.WRITTEN, CallEvent.REFUSED): CallState.ANSWERED,
    (CallState.ASKING, CallEvent.STARTED): CallState.RUNNING,
    (CallState.ASKING, CallEvent.REFUSED): CallState.ANSWERED,
    (CallState.ASKING, CallEvent.RETURNED): CallState.ANSWERED,
    (CallState.RUNNING, CallEvent.RETURNED): CallState.ANSWERED,
    (CallState.RUNNING, CallEvent.OVERDUE): CallState.GIVEN_UP,
}


class Recent:
    """Ids that were seen, the latest of them only: a server may repeat itself, but not for ever."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._ids: dict[str, None] = {}

    def add(self, name: str) -> None:
        """Remember an id."""
        self._ids[name] = None
        if len(self._ids) > self._limit:
            del self._ids[next(iter(self._ids))]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, name: str) -> bool:
        return name in self._ids
