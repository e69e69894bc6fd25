"""What there is to show: one record for each thing that happened, and a snapshot of how things stand.

Plain and JSON views print the records in order; the live view draws the latest snapshot. The JSON names of records and
fields are a contract with scripts.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypeAlias

import msgspec

SourceState: TypeAlias = Literal["works", "lost", "silent"]
"""Of a microphone: it delivers sound; it is gone and looked for; it delivers nothing but digital silence."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Root of the records."""


class SessionStarted(Record, frozen=True, kw_only=True, tag_field="type", tag="session"):
    """The server took the session."""

    id: str
    model: str
    provider: str


class UserSaid(Record, frozen=True, kw_only=True, tag_field="type", tag="user"):
    """The whole of a user's turn, typed or transcribed."""

    item_id: str
    text: str
    late: bool = False
    """Its transcript came after something later had been told."""
    began_ms_ago: int | None = None
    """How long before this record the speaking or writing began."""


class AssistantDelta(Record, frozen=True, kw_only=True, tag_field="type", tag="assistant_delta"):
    """A piece of a reply, written or the transcript of a spoken one, as it arrived."""

    item_id: str
    text: str


class AssistantSaid(Record, frozen=True, kw_only=True, tag_field="type", tag="assistant"):
    """The whole of a reply; of an interrupted one, what was heard of it (``heard_ms`` is None for a written reply)."""

    item_id: str
    text: str
    heard_ms: int | None = None
    interrupted: bool = False
    began_ms_ago: int | None = None
    """How long before this record the reply began to come."""


class TranscriptDelta(Record, frozen=True, kw_only=True, tag_field="type", tag="transcript_delta"):
    """A piece of a transcript as it arrived; only transcriptions have it."""

    item_id: str
    text: str


class Transcribed(Record, frozen=True, kw_only=True, tag_field="type", tag="transcript"):
    """One stretch of speech, whole, in the order it was spoken. Times count from the beginning of the audio."""

    item_id: str
    text: str
    start_ms: int
    end_ms: int | None = None
    """None where the server does not tell."""


class TranscriptionUsage(Record, frozen=True, kw_only=True, tag_field="type", tag="usage"):
    """What the transcript of one item cost: seconds of audio or tokens, as the server counts."""

    item_id: str
    seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: float | None = None
    """None where no price is known."""


class UsageReported(Record, frozen=True, kw_only=True, tag_field="type", tag="usage"):
    """Tokens of one response, and its timing in ms from the end of the user's turn (None where there was none)."""

    response_id: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    usd: float | None = None
    """What it cost; None where no price is known."""
    first_text_ms: int | None = None
    first_audio_ms: int | None = None
    done_ms: int | None = None


class LatencyReported(Record, frozen=True, kw_only=True, tag_field="type", tag="latency"):
    """How long the user waited for a spoken reply, told when its first sound is heard.

    Milliseconds from the end of the user's turn, as the server told it; None for what did not happen in between.
    """

    item_id: str
    committed_ms: int | None = None
    """Until the server made an item of what was said."""
    first_text_ms: int | None = None
    first_audio_ms: int | None = None
    """Until the first audio came over the wire."""
    audible_ms: int | None = None
    """Until the first sound left the playout buffer."""


class CostReported(Record, frozen=True, kw_only=True, tag_field="type", tag="cost"):
    """What the conversation has cost so far, in US dollars, whenever that has changed."""

    usd: float
    """The sum of what has a known price."""
    complete: bool = True
    """Whether everything had one."""


class ToolCalled(Record, frozen=True, kw_only=True, tag_field="type", tag="tool_call"):
    """The model wants a function run; ``arguments`` is the JSON that it wrote, ``server`` the MCP server's label."""

    call_id: str
    name: str
    arguments: str
    server: str = ""


class ToolAsked(Record, frozen=True, kw_only=True, tag_field="type", tag="tool_question"):
    """The user is asked whether a function may run, with all of its arguments; ``server`` is the MCP server's label."""

    call_id: str
    name: str
    arguments: str
    server: str = ""


class ToolFinished(Record, frozen=True, kw_only=True, tag_field="type", tag="tool_result"):
    """What the model was told about a call; ``duration_ms`` is 0 for one that never ran."""

    call_id: str
    name: str
    output: str
    failed: bool
    duration_ms: int
    server: str = ""


class Trouble(Record, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """Something failed; the conversation may go on."""

    message: str
    code: str | None = None


class Notice(Record, frozen=True, kw_only=True, tag_field="type", tag="notice"):
    """Something worth a line that is no error."""

    text: str


class SideChannelSaid(Record, frozen=True, kw_only=True, tag_field="type", tag="aside"):
    """What a side channel says about the conversation so far; it is no part of it."""

    name: str
    text: str


class MicChanged(Record, frozen=True, kw_only=True, tag_field="type", tag="microphone"):
    """A key opened, closed, muted or unmuted the microphone, or it works no longer, or again."""

    state: Literal["open", "closed", "muted", "unmuted"] | SourceState


class AudioReported(Record, frozen=True, kw_only=True, tag_field="type", tag="audio"):
    """What went wrong with the sound, over the whole session; shown just before the end."""

    underruns: int = 0
    """How often a reply fell silent because its audio came too late over the network."""
    underflows: int = 0
    """How often the loudspeaker had nothing to play because this machine was too busy."""
    overflows: int = 0
    """How often the microphone lost audio because this machine was too busy."""
    dropped_blocks: int = 0
    """Microphone blocks of 20 ms that were lost because the network stalled."""


class ConnectionChanged(Record, frozen=True, kw_only=True, tag_field="type", tag="connection"):
    """The connection was lost, is tried again, or is there again; or another session took over before its end.

    ``reason`` says why it was lost, ``attempt`` counts the tries, ``id`` is the session's.
    """

    state: Literal["lost", "retrying", "restored", "renewed"]
    reason: str = ""
    attempt: int = 0
    id: str = ""

    @property
    def words(self) -> str:
        """One line for people; none for what they need not notice."""
        if self.state == "lost":
            return f"{self.reason}: trying to get it back"
        return "the connection is back" if self.state == "restored" else ""


class Ended(Record, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """The last record. ``reason``: done, interrupted, quit, or failed."""

    reason: str
    exit_code: int


class Phase(Enum):
    """How the conversation stands, for the status line."""

    CONNECTING = "connecting"
    RECONNECTING = "reconnecting"
    LISTENING = "listening"
    HEARING = "hearing you"
    THINKING = "thinking"
    SPEAKING = "speaking"
    ENDED = "ended"

    @property
    def replying(self) -> bool:
        """There is a reply to be stopped."""
        return self in (Phase.THINKING, Phase.SPEAKING)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of one side. ``heard_chars``: how many characters of ``text`` were heard (all, if written)."""

    item_id: str
    role: str
    text: str
    pending: bool = False
    """The text is still to come or still growing."""
    heard_chars: int = 0
    interrupted: bool = False


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the session."""

    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    usd: float = 0.0
    """Of what has a known price."""
    priced: bool = True
    """Whether everything had one."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand, immutable. ``lines`` holds what is not told yet; what is told comes as a record, once."""

    phase: Phase = Phase.CONNECTING
    provider: str = ""
    model: str = ""
    lines: tuple[Line, ...] = ()
    totals: Totals = Totals()
    running: tuple[str, ...] = ()
    """Names of the functions that run for the model."""
    question: ToolAsked | None = None
    """What the user is asked."""
    microphone: SourceState = "works"
    talking: bool = False
    """Push-to-talk: the talk key is down."""
    opening: bool = False
    """Push-to-talk: the talk key is down, but the microphone does not deliver yet."""
    position_ms: int = 0
    """How much of the audio a transcription is done with."""


AnyRecord: TypeAlias = (
    SessionStarted
    | UserSaid
    | AssistantDelta
    | AssistantSaid
    | UsageReported
    | LatencyReported
    | CostReported
    | ToolCalled
    | ToolAsked
    | ToolFinished
    | Trouble
    | Notice
    | SideChannelSaid
    | MicChanged
    | AudioReported
    | ConnectionChanged
    | Ended
)
