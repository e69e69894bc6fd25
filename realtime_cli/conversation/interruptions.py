"""What speech does to a reply that is going on: interrupt it at once, or only when it is more than assent or a noise.

Careful: the moment somebody speaks, the voice is paused and keeps its place. Speech that turns out to be short, and of
which the transcript says no more than "mm-hm", is taken out of the conversation, and the voice goes on; anything else
interrupts, at the paused millisecond. The server must neither cancel nor answer by itself meanwhile
(``interrupt_response`` and ``create_response`` false), so the program asks for the answer, a round trip later.
"""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.assent import is_assent
from realtime_cli.conversation.effects import Effect, Pause, Resume, Send
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.reply import Wish
from realtime_cli.conversation.responses import Responses
from realtime_cli.conversation.states import Recent
from realtime_cli.protocol.client_events import ConversationItemDelete

LONGEST_ASSENT_S = 1.2
"""Speech that lasts longer is a turn. "Uh-huh, I see" takes about a second."""

TOLD_S = 0.3
"""How long after the silence that ends speech a server has told of it: detection, and the way."""

TRANSCRIPT_WAIT_S = 1.5
"""How long the voice stays paused for the transcript of something short: longer, and the pause is the interruption."""

TRANSCRIPT_LOST_S = 10.0
"""After so long, no transcript comes any more."""

NOISE_S = 0.5
"""Without a transcript, speech this short is a cough, a click or a hum; anything longer is meant."""


class UndecidedSpeech(msgspec.Struct):
    """The voice is paused for this turn. Times are the core's clock; ``length_s`` is known when the speech is over."""

    turn_id: str
    since: float
    longest_s: float
    """So long after ``since`` the end of an assent has been told."""
    stopped_at: float | None = None
    length_s: float = 0.0
    passed_by: bool = False
    """The voice went on before it was known what was said."""

    @property
    def due(self) -> float:
        """When it is decided without knowing more."""
        if self.stopped_at is None:
            return self.since + self.longest_s
        return self.stopped_at + (TRANSCRIPT_LOST_S if self.passed_by else TRANSCRIPT_WAIT_S)


class Interruptions:
    """The one owner of whether the voice is paused. Belongs to one connection."""

    def __init__(self, options: ConversationOptions, responses: Responses) -> None:
        self._options = options
        self._responses = responses
        self._undecided: UndecidedSpeech | None = None
        self._late: UndecidedSpeech | None = None
        """The latest that was passed by."""
        self._committed = Recent(64)
        self._passed_by = Recent(64)
        """Turns that did not interrupt, and are answered by nothing."""

    @property
    def due(self) -> float | None:
        """When it is decided what the speech was."""
        return min([speech.due for speech in (self._undecided, self._late) if speech is not None], default=None)

    def speech_started(self, turn_id: str, now: float) -> list[Effect]:
        """The user speaks, perhaps into a reply."""
        if self._options.interruptions == "never":
            return []
        if self._options.interruptions == "careful" and self._responses.audible:
            if self._undecided is None:
                self._undecided = UndecidedSpeech(turn_id, now, LONGEST_ASSENT_S + self._options.silence_s + TOLD_S)
                return [Pause()]
            # Speech that goes on after a pause is no assent.
            return self._interrupt()
        return self._responses.interrupt(server_cancels=self._options.server_interrupts)

    def speech_stopped(self, turn_id: str, span_s: float | None, now: float) -> list[Effect]:
        """The user stopped; ``span_s`` is the length of what the server heard, where it says so.

        That begins with its padding and ends with the silence by which it heard the end, as
        https://platform.openai.com/docs/api-reference/realtime-server-events says of both events: they are no speech.
        """
        speech = self._undecided
        if speech is None or speech.turn_id != turn_id:
            return []
        speech.stopped_at = now
        spoken_s = 0.0 if span_s is None else span_s - self._options.padding_s - self._options.silence_s
        speech.length_s = spoken_s if spoken_s > 0 else max(0.0, now - speech.since - self._options.silence_s)
        if speech.length_s > LONGEST_ASSENT_S:
            return self._interrupt()
        return [] if self._options.transcribes_user else self._decide_by_length(speech)

    def committed(self, turn_id: str) -> None:
        """The speech became an item: its answer is asked for, unless it may turn out to need none."""
        self._committed.add(turn_id)
        undecided = self._undecided is not None and self._undecided.turn_id == turn_id
        if self._options.asks_for_answers and not undecided and turn_id not in self._passed_by:
            self._responses.want(Wish())

    def transcribed(self, turn_id: str, item_id: str, text: str) -> tuple[list[Effect], bool]:
        """The transcript of a turn is whole; True where the turn was assent or a noise, and is no turn."""
        undecided = self._undecided is not None and self._undecided.turn_id == turn_id
        if not undecided and turn_id not in self._passed_by:
            return [], False
        self._known(turn_id)
        if not is_assent(text, self._options.languages):
            # Perhaps too late: the voice went on, and is interrupted now.
            return self._interrupt(turn_id), False
        self._passed_by.add(turn_id)
        forgotten: list[Effect] = [Send(ConversationItemDelete(item_id=item_id))] if item_id else []
        return [*(self._resume() if undecided else []), *forgotten], True

    def not_transcribed(self, turn_id: str) -> list[Effect]:
        """No transcript of a turn will come: its length decides, at once or late."""
        speech = self._undecided
        if speech is not None and speech.turn_id == turn_id and speech.stopped_at is not None:
            return self._decide_by_length(speech)
        late = self._known(turn_id)
        return self._interrupt(turn_id) if late is not None and late.length_s > NOISE_S else []

    def time_passed(self, now: float) -> list[Effect]:
        """Decide without knowing more: what is too long for assent interrupts, and what is short goes by.

        The transcript of something short may yet come, and interrupt if it says more: a reply that ends with every
        "mm-hm" of which the words come late is worse than one that is stopped a little later.
        """
        effects: list[Effect] = []
        late, speech = self._late, self._undecided
        if late is not None and now >= late.due:
            effects += self.not_transcribed(late.turn_id)
        if speech is not None and now >= speech.due:
            if speech.stopped_at is None:
                return [*effects, *self._interrupt()]
            speech.passed_by = True
            self._late = speech
            self._passed_by.add(speech.turn_id)
            effects += self._resume()
        return effects

    def settled(self) -> None:
        """Something else silenced the voice: there is nothing to decide any more."""
        if self._undecided is not None:
            self._passed_by.add(self._undecided.turn_id)
            self._undecided = None

    def connection_lost(self) -> list[Effect]:
        """Nothing more will be known of the speech that paused the voice, which goes on as far as it came."""
        self._late = None
        return self._resume() if self._undecided is not None else []

    def _decide_by_length(self, speech: UndecidedSpeech) -> list[Effect]:
        if speech.length_s > NOISE_S:
            return self._interrupt()
        self._passed_by.add(speech.turn_id)
        return self._resume()

    def _interrupt(self, turn_id: str = "") -> list[Effect]:
        name = self._undecided.turn_id if self._undecided else turn_id
        self._undecided = None
        if self._options.asks_for_answers and name in self._committed:
            self._responses.want(Wish())
        return self._responses.interrupt(server_cancels=False)

    def _resume(self) -> list[Effect]:
        self._undecided = None
        return [Resume()]

    def _known(self, turn_id: str) -> UndecidedSpeech | None:
        """What the voice went on before, if it was this turn: it is late no more."""
        late = self._late if self._late is not None and self._late.turn_id == turn_id else None
        if late is not None:
            self._late = None
        return late
