"""The spoken turns of one connection: which there are, and how far each is between speech and understood words.

The states are in :mod:`.states`; each turn is keyed on its item's id, which the server tells when it first hears
somebody. Servers leave ids out, or tell them late.
"""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.history import UNNAMED, Entry, History
from realtime_cli.conversation.states import TURN_MOVES, TurnEvent, TurnState

COMMIT_GRACE_S = 2.0
"""How soon after its end a server makes a turn of the user's speech, which brings a reply by itself."""

NOISE_S = 10.0
"""After so long, speech that did not become a turn was a noise."""

REMEMBERED_TURNS = 32
"""Of how many spoken turns a transcript may still come."""


class Turn(msgspec.Struct, eq=False):
    """One spoken turn. ``at`` is when it came to its state; ``named``: its id is the server's."""

    item_id: str
    named: bool
    at: float
    state: TurnState = TurnState.SPEAKING
    counted: bool = False
    began_at: float = 0.0
    understood: bool = False
    """Its transcript came."""
    audio_start_ms: int = 0

    def move(self, event: TurnEvent, now: float) -> bool:
        """Go to the next state; False where there is no such move."""
        after = TURN_MOVES.get((self.state, event))
        if after is not None:
            self.state, self.at = after, now
        return after is not None


class SpokenTurns:
    """See the module. What is said of a turn is kept in the history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._turns: dict[str, Turn] = {}
        self._unnamed = 0
        self.latest: Turn | None = None

    def reset(self) -> None:
        """A new connection knows of none."""
        for turn in list(self._turns.values()):
            self.drop(turn, 0.0)
        self._turns.clear()
        self.latest = None

    def get(self, item_id: str) -> Turn | None:
        """The turn of this id."""
        return self._turns.get(item_id)

    @property
    def latest_unheard(self) -> bool:
        """Whether the latest spoken turn was committed, and its words are not known."""
        latest = self.latest
        return latest is not None and latest.state is TurnState.COMMITTED and not latest.understood

    def unheard(self, owed: str) -> list[float]:
        """When the turns began that no server has understood: those that are open, and the one that is ``owed``."""
        open_states = (TurnState.SPEAKING, TurnState.STOPPED)
        return [
            turn.began_at
            for turn in self._turns.values()
            if turn.state in open_states or (turn.item_id == owed and not turn.understood)
        ]

    @property
    def detected(self) -> bool:
        """The server hears the user."""
        return any(turn.state is TurnState.SPEAKING for turn in self._turns.values())

    def due(self, now: float) -> list[float]:
        """When speech that became no turn is settled."""
        stopped = [turn.at for turn in self._turns.values() if turn.state is TurnState.STOPPED]
        return [at + span for at in stopped for span in (COMMIT_GRACE_S, NOISE_S) if at + span > now]

    def settling(self, now: float) -> bool:
        """Whether the server is about to make a turn of what was said."""
        stopped = (turn.at for turn in self._turns.values() if turn.state is TurnState.STOPPED)
        return any(now < at + COMMIT_GRACE_S for at in stopped)

    def drop_noises(self, now: float) -> None:
        """Speech that did not become a turn for long was a noise."""
        for turn in list(self._turns.values()):
            if turn.state is TurnState.STOPPED and now >= turn.at + NOISE_S:
                self.drop(turn, now)

    def drop_open(self, now: float) -> bool:
        """Speech that has not ended makes no turn of its own; whether there was any."""
        endless = [turn for turn in self._turns.values() if turn.state is TurnState.SPEAKING]
        for turn in endless:
            self.drop(turn, now)
        return bool(endless)

    def begin(self, item_id: str, now: float, previous_item_id: str | None = None) -> Turn:
        """A new turn; a server may not tell its id before it is committed, or at all."""
        named = bool(item_id)
        if not named:
            self._unnamed += 1
        turn = self.latest = Turn(item_id or self.unnamed_id(), named, now, began_at=now)
        self._turns[turn.item_id] = turn
        if len(self._turns) > REMEMBERED_TURNS:
            del self._turns[next(iter(self._turns))]
        self._history.entry(turn.item_id, "user", now, previous_item_id)
        return turn

    def find(self, item_id: str, *states: TurnState) -> Turn | None:
        """The turn of an event: by its id, or the latest where one of the two sides of it was left out."""
        if item_id in self._turns:
            return self._turns[item_id]
        latest = self.latest
        if latest is None or latest.state not in states or (item_id and latest.named):
            return None
        if item_id:
            # The server told the id at last.
            entry = self._history.find(latest.item_id)
            if self._history.knows(item_id) or entry is None:
                return None
            self._history.name(entry, item_id)
            self._turns[item_id] = latest
            latest.named = True
        return latest

    def drop(self, turn: Turn, now: float) -> None:
        """It was no turn: nothing is told of it, unless words came."""
        turn.move(TurnEvent.DROPPED, now)
        entry = self._history.find(turn.item_id)
        if entry is not None and entry.role == "user":
            entry.final = True
            if not entry.text:
                self._history.drop(entry)

    def forget(self, turn: Turn) -> None:
        """It was assent or a noise, and is no part of the conversation."""
        entry = self._history.find(turn.item_id)
        if entry is not None and entry.role == "user":
            self._history.drop(entry)

    def ended(self, turn: Turn, now: float) -> Entry | None:
        """The turn's entry; its speech is over."""
        entry = self._history.entry(turn.item_id, "user", now)
        if entry is not None and entry.ended_at is None:
            entry.ended_at = now
        return entry

    def unnamed_id(self) -> str:
        """An id for a turn whose own is not known."""
        return f"{UNNAMED}turn {self._unnamed}"
