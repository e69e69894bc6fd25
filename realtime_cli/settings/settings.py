"""Every setting, once: its flag, its variable, its type, its limits and its help.

The flag ``--silence-ms`` is the field ``silence_ms`` is the variable ``REALTIME_CLI_SILENCE_MS`` is ``silence_ms`` in
a profile; :mod:`realtime_cli.settings.sources` says which of them counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from realtime_cli.protocol.session_options import Eagerness, NoiseReduction, Vad
from realtime_cli.settings.config_file import SECRET_ENDINGS, ConfigFile

SERVER, SESSION, TURNS = "Server", "Session", "Your turns"
TOOLS, AUDIO, SAVING, VIEW = "Tools", "Sound", "Saving", "Output"
ENGINES = "Embedded server"
ENV_PREFIX = "REALTIME_CLI_"
SERVE_TOKEN = "REALTIME_CLI_SERVE_TOKEN"  # noqa: S105 -- a name
LM_KEY, STT_KEY, TTS_KEY = "REALTIME_CLI_LM_KEY", "REALTIME_CLI_STT_KEY", "REALTIME_CLI_TTS_KEY"
"""The keys of the servers that the settings lm, stt and tts name."""

LEAST_SECRET_CHARS = 8
"""What is shorter is a placeholder, and would be hidden in the middle of words."""

FolderMay = Literal["never", "always", "text", "address", "provider"]
"""Whether the ``.env`` of a folder that the user has not trusted may set something; see ``trust.py``.

``never``: it runs programs, names what is read or written, costs money, or takes a precaution of the user's away.
``always``: a taste. ``text``: unless it names a file. ``address``, ``provider``: with a key of its own.
"""


def _meta(
    group: str, text: str, *, short: str = "", env: str = "", metavar: str = "", folder: FolderMay = "never"
) -> Meta:
    extra = {"group": group, "short": short, "env": env, "metavar": metavar, "folder": folder}
    return Meta(description=text, extra={name: value for name, value in extra.items() if value})


_taste = partial(_meta, folder="always")
"""The declaration of a setting that anybody may set, as the worst that can come of it is to be disliked."""


Speed = Annotated[float, Meta(ge=0.25, le=1.5)]
Share = Annotated[float, Meta(ge=0, le=1)]
Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
IdleMilliseconds = Annotated[int, Meta(ge=5_000, le=30_000)]
ToolSeconds = Annotated[float, Meta(gt=0, le=3600)]
AnswerSeconds = Annotated[float, Meta(ge=1, le=3600)]
ReconnectSeconds = Annotated[float, Meta(ge=0, le=86_400)]
PingSeconds = Annotated[float, Meta(ge=0.1, le=600)]
TalkSeconds = Annotated[int, Meta(ge=1, le=900)]
Dollars = Annotated[float, Meta(gt=0)]
IdleSeconds = Annotated[float, Meta(ge=1)]
Count = Annotated[int, Meta(ge=1)]


Bidi = Literal["auto", "on", "off"]
"""Whether the program puts right-to-left text in the order in which it is read: by the terminal, always, or never."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one run. Limits are the protocol's own where it has some."""

    provider: Annotated[
        str, _meta(SERVER, "auto, openai, azure, local, or another provider's name", folder="provider")
    ] = "auto"
    local: Annotated[bool, _taste(SERVER, "Short for --provider local: the embedded server")] = False
    model: Annotated[
        str | None, _taste(SERVER, "Model, or Azure deployment", short="-m", env="OPENAI_REALTIME_MODEL")
    ] = None
    base_url: Annotated[
        str | None,
        _meta(SERVER, "Any compatible server: ws, wss, http, https, or host:port", metavar="URL", folder="address"),
    ] = None
    dialect: Annotated[Literal["ga", "beta"] | None, _taste(SERVER, "Override what the provider speaks")] = None
    answer_timeout: Annotated[
        AnswerSeconds, _taste(SERVER, "Seconds that the server may be silent while it owes an answer")
    ] = 60.0
    reconnect_s: Annotated[
        ReconnectSeconds, _taste(SERVER, "Seconds to try for when the connection is lost; 0: never")
    ] = 60.0
    ping_s: Annotated[PingSeconds, _taste(SERVER, "Seconds of silence after which the server is pinged")] = 15.0
    profile: Annotated[str | None, _meta(SERVER, "Settings from [profiles.NAME] of config.toml", metavar="NAME")] = None

    lm: Annotated[
        str | None,
        _meta(ENGINES, "Language model: a chat completions URL, or a GGUF file", metavar="URL|FILE.gguf"),
    ] = None
    lm_model: Annotated[str | None, _taste(ENGINES, "What the server at that URL calls the model")] = None
    stt: Annotated[
        str | None, _meta(ENGINES, "Recognition: English, a hundred languages, or a URL", metavar="tiny.en|base|URL")
    ] = None
    stt_model: Annotated[str | None, _taste(ENGINES, "What the server at that URL calls the model")] = None
    tts: Annotated[str | None, _meta(ENGINES, "Voice: a speech URL", metavar="URL")] = None
    tts_model: Annotated[str | None, _taste(ENGINES, "What the server at that URL calls the model")] = None

    instructions: Annotated[
        str | None,
        _meta(
            SESSION, "How the model is to behave; @FILE reads a file", short="-i", metavar="TEXT|@FILE", folder="text"
        ),
    ] = None
    voice: Annotated[
        str | None, _taste(SESSION, "The model's voice, such as marin; id:ID is one of your own", metavar="NAME|id:ID")
    ] = None
    speed: Annotated[Speed | None, _taste(SESSION, "Speed of the voice, 0.25 to 1.5")] = None
    text_only: Annotated[bool, _taste(SESSION, "No audio back")] = False
    greet: Annotated[bool, _taste(SESSION, "The model speaks first")] = False
    greeting: Annotated[str | None, _taste(SESSION, "What it is to say first (a wish, in your words)")] = None
    reasoning: Annotated[
        Literal["minimal", "low", "medium", "high", "xhigh"] | None, _taste(SESSION, "Reasoning effort")
    ] = None
    max_output_tokens: Annotated[
        int | Literal["inf"] | None, _meta(SESSION, "Limit of one reply: a number or inf", metavar="N|inf")
    ] = None
    truncation: Annotated[
        str | None, _taste(SESSION, "How the server shortens a long talk", metavar="auto|disabled|SHARE[,TOKENS]")
    ] = None
    max_turns: Annotated[Count | None, _meta(SESSION, "End after so many turns of yours")] = None
    side_channel: Annotated[
        tuple[str, ...],
        _meta(SESSION, "After each turn, have something written aside; repeatable", metavar="NAME=TEXT|@FILE"),
    ] = ()

    vad: Annotated[
        Vad, _taste(TURNS, "What ends your turns: a silence (server), what you said (semantic), or you (off)")
    ] = "server"
    silence_ms: Annotated[Milliseconds | None, _taste(TURNS, "Silence that ends your turn")] = None
    idle_timeout_ms: Annotated[
        IdleMilliseconds | None, _meta(TURNS, "Silence after which the server has the model speak, 5000 to 30000")
    ] = None
    eagerness: Annotated[Eagerness | None, _taste(TURNS, "How soon semantic detection answers")] = None
    vad_threshold: Annotated[Share | None, _taste(TURNS, "How sure of speech the server must be, 0 to 1")] = None
    prefix_padding_ms: Annotated[Milliseconds | None, _taste(TURNS, "Audio kept from before speech")] = None
    noise_reduction: Annotated[NoiseReduction | None, _taste(TURNS, "For a near or a far microphone")] = None
    interruptions: Annotated[
        Literal["always", "careful", "never"],
        _taste(TURNS, "What interrupts a reply: any speech, more than mm-hm or a cough, or nothing"),
    ] = "always"
    auto_response: Annotated[bool, _taste(TURNS, "Answer every turn; without, only on a command on stdin")] = True
    language: Annotated[
        str | None, _taste(TURNS, "Languages you speak (ISO 639-1, with commas), for the transcript", metavar="CODES")
    ] = None
    keywords: Annotated[
        str | None, _taste(TURNS, "Names and terms the transcript may need, with commas between", metavar="WORDS")
    ] = None
    transcription_model: Annotated[
        str | None, _taste(TURNS, "Model for the transcript of your words, or off", metavar="NAME|off")
    ] = None

    tools: Annotated[
        tuple[str, ...],
        _meta(TOOLS, "Offer the functions of a Python file to the model; repeatable", metavar="FILE.py"),
    ] = ()
    mcp: Annotated[
        tuple[str, ...],
        _meta(TOOLS, "Offer the tools of an MCP server; repeatable", metavar="COMMAND|URL|NAME"),
    ] = ()
    remote_mcp: Annotated[
        tuple[str, ...],
        _meta(TOOLS, "An MCP server that the model's side reaches by itself; repeatable", metavar="LABEL=URL|NAME"),
    ] = ()
    confirm_tools: Annotated[
        Literal["auto", "always", "never"], _meta(TOOLS, "Ask before calls: auto means those of MCP servers")
    ] = "auto"
    tool_timeout: Annotated[ToolSeconds, _taste(TOOLS, "Seconds that one call may take")] = 30.0
    max_tool_rounds: Annotated[Count, _meta(TOOLS, "So often may calls follow calls without a turn of yours")] = 8

    mic: Annotated[
        str | None, _meta(AUDIO, "Device, WAV file, - (PCM16 24 kHz mono on stdin) or none", metavar="WHERE")
    ] = None
    speaker: Annotated[
        str | None, _meta(AUDIO, "Device, .wav file, - (PCM16 24 kHz mono on stdout) or none", metavar="WHERE")
    ] = None
    ptt: Annotated[bool, _meta(AUDIO, "Push to talk: hold a key, or tap it to start and to send")] = False
    ptt_key: Annotated[str, _taste(AUDIO, "That key: space, tab, f1 to f12, or a character", metavar="KEY")] = "space"
    ptt_max_s: Annotated[TalkSeconds, _meta(AUDIO, "After so long the microphone closes by itself")] = 60
    aec: Annotated[bool, _taste(AUDIO, "Cancel the echo between a loudspeaker and a microphone")] = True
    half_duplex: Annotated[bool, _taste(AUDIO, "Hear nothing while the model is audible")] = False
    mute: Annotated[bool, _meta(AUDIO, "Start with the microphone muted; F2 unmutes it")] = False

    budget: Annotated[
        Dollars | None, _meta(SESSION, "End politely when it has cost so many US dollars", metavar="USD")
    ] = None
    idle_timeout: Annotated[
        IdleSeconds | None, _meta(SESSION, "End when nobody has spoken for so many seconds", metavar="S")
    ] = None

    save: Annotated[bool, _meta(SAVING, "Save the conversation, as text; see realtime-cli sessions")] = True
    save_instructions: Annotated[bool, _meta(SAVING, "Save the instructions with it, not only their hash")] = True
    record: Annotated[bool, _meta(SAVING, "Save the sound of both sides as well")] = False

    plain: Annotated[bool, _taste(VIEW, "Line by line, no control codes")] = False
    json: Annotated[bool, _taste(VIEW, "One JSON object a line on stdout")] = False
    quiet: Annotated[bool, _taste(VIEW, "Reply text and errors only")] = False
    stats: Annotated[bool, _taste(VIEW, "Latency and tokens a turn, on stderr")] = False
    bidi: Annotated[Bidi, _taste(VIEW, "Put right-to-left text in order: on, off, or by the terminal")] = "auto"
    debug: Annotated[bool, _taste(VIEW, "Tracebacks, and the wire on stderr without secrets")] = False


class Environment(Mapping[str, str]):
    """The process environment over what counts of ``.env``, which of the two a value came from, and the config file.

    An empty value counts as absent, as users write ``KEY=`` to leave it out.
    """

    def __init__(
        self,
        process: Mapping[str, str],
        dotenv: Mapping[str, str] | None = None,
        file: ConfigFile = ConfigFile(),  # noqa: B008 -- frozen
        *,
        dotenv_path: Path | None = None,
        trusted: bool = False,
        notices: tuple[str, ...] = (),
    ) -> None:
        self.file = file
        self.dotenv_path = dotenv_path
        self.trusted = trusted
        """Whether the user trusts the folder of ``.env``."""
        self.notices = notices
        """What of ``.env`` does not count, and why."""
        self._process = {name: value for name, value in process.items() if value}
        self._values = {**{name: value for name, value in (dotenv or {}).items() if value}, **self._process}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def folder(self) -> Path:
        """Where ``.env`` is."""
        return self.dotenv_path.parent if self.dotenv_path else Path()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never show, the longest first, as one may be a part of another."""
        found = {
            value
            for name, value in self._values.items()
            if name.lower().endswith(SECRET_ENDINGS) and len(value) >= LEAST_SECRET_CHARS
        }
        return tuple(sorted(found, key=len, reverse=True))

    def origin(self, name: str) -> str:
        """Where the variable's value was found."""
        return f"{name} in .env" if self.in_dotenv(name) else name

    def in_dotenv(self, name: str) -> bool:
        """Whether the variable's value comes from ``.env``."""
        return name in self._values and name not in self._process
