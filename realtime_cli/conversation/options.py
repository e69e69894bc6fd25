"""What the conversation must know beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from realtime_cli.conversation.past import Entry
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.error_codes import Key
from realtime_cli.providers.prices import PriceList


class SideChannel(msgspec.Struct, frozen=True):
    """What is asked after each turn, and what the answer is called."""

    name: str
    prompt: str


class JoinedCall(msgspec.Struct, frozen=True):
    """A call of another client's (WebRTC) that is joined from the side.

    That client talks, hears and writes; the server plays the replies to it, and cuts them. Here they are followed, and
    functions run (https://platform.openai.com/docs/guides/realtime-server-controls).
    """

    id: str
    model: str


class ConversationOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this conversation is held."""

    provider: str
    """The server's name, for the status line."""
    key: Key = Key()
    """What became of the key, for messages about a refused one."""
    session: Mapping[str, Any]
    """The body of the first ``session.update``, in the dialect that the server is taken to speak."""
    session_otherwise: Mapping[Dialect, Mapping[str, Any]] = {}
    """The same in the dialects that it may turn out to speak; none where there is no doubt."""
    left_out: Mapping[Dialect, tuple[str, ...]] = {}
    """What the user should know of each of those: which options it cannot say."""
    own_settings: frozenset[str] = frozenset()
    """Names of settings in it that the user did not ask for: left out if the server refuses them."""
    server_decides_turns: bool = True
    """The server's voice detection ends the user's turns and starts responses (``turn_detection`` is not null)."""
    detection_always_on: bool = False
    """The server's voice detection cannot be turned off: it ends every turn, also a recorded or a push-to-talk one.

    Such a server (speech-to-speech 1.1) ignores ``turn_detection: null``, ends no utterance at a commit, and does not
    know ``input_audio_buffer.clear``.
    """
    closing_silence_ms: int = 2000
    """The silence behind what was recorded, by which such a server hears the end of it."""
    server_answers: bool = True
    """The server starts the response to a turn that it found by itself (``create_response``)."""
    server_interrupts: bool = True
    """The server cancels its response by itself when the user begins to speak (``interrupt_response``)."""
    interruptions: Literal["always", "careful", "never"] = "always"
    """What interrupts a reply: any speech, speech that is more than assent or a noise, or none.

    For the latter two the server neither interrupts nor answers by itself.
    """
    silence_s: float = 0.5
    """The silence by which the server hears the end of speech, and which it counts as a part of it."""
    padding_s: float = 0.3
    """What it counts as a part of speech before its first sound."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of what the user speaks; none where it is not known."""
    asks_for_answers: bool = False
    """The program asks for the answer to a turn that the server found: it does not answer by itself, but is to."""
    transcribes_user: bool = True
    """Transcripts of the user's speech are to be expected."""
    push_to_talk: bool = False
    talk_limit_s: float = 60.0
    """How long one press of the talk key may last."""
    listens: bool = True
    """There is a microphone; without one, turns are typed or recorded, and wait for each other."""
    plays: bool = True
    """There is somewhere to play audio; without it, audio that a server sends all the same is passed by."""
    wants_sound: bool = False
    """Spoken replies were asked for, and there is somewhere to play them."""
    can_cancel: bool = True
    can_truncate: bool = True
    side_channels: tuple[SideChannel, ...] = ()
    joined: JoinedCall | None = None
    """The call of another client's that this is."""
    max_turns: int | None = None
    offers_tools: bool = False
    """Functions are offered to the model; the session waits for the list of them (``facts.ToolsReady``)."""
    can_ask: bool = False
    """There is a keyboard to ask at whether a function may run."""
    tool_timeout_s: float = 30.0
    max_tool_rounds: int = 8
    """How often the model is asked to speak about results of its calls without a turn of the user's between."""
    mic_end_grace_s: float = 3.0
    """How long after the end of a file microphone the server may still notice that somebody spoke."""
    answer_timeout_s: float = 60.0
    """How long the server may be silent while it owes something. Models that reason think for tens of seconds."""
    prices: PriceList | None = None
    """What models cost; None for a server on this machine, which costs nothing."""
    transcription_model: str = ""
    """What transcribes the user, which has a price of its own."""
    budget_usd: float | None = None
    """The conversation ends when it has cost so much."""
    idle_timeout_s: float | None = None
    """The conversation ends when nobody has spoken for so long."""
    hello_timeout_s: float = 15.0
    """How long the server may take to open the session once it is connected."""
    reconnect_s: float = 0.0
    """For how long a lost connection is tried again; 0: never."""
    seed: int = 0
    """Of the jitter of those tries."""
    restore_tokens: int = 8000
    """How much of the past another connection is told: about an hour of talk, for some cents."""
    saved_as: str = "this conversation is not saved"
    """Where it is saved, for a user who asks."""
    past: tuple[Entry, ...] = ()
    """What was said before, in a conversation that goes on."""

    @property
    def server_takes_turns(self) -> bool:
        """Whether the server makes turns of what it hears, and answers them, by itself."""
        return self.server_decides_turns or self.detection_always_on
