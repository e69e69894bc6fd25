"""What each command is called, takes and says of itself. What it does is in a module of its own, loaded when it runs.

Options that are settings come from :mod:`realtime_cli.settings.settings`, by their groups; only what belongs to one
command alone is declared here.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from typer import Argument, Option

from realtime_cli.journal.folder import LAST, NAMES_ONE
from realtime_cli.settings.settings import AUDIO, ENGINES, SAVING, SERVER, SESSION, TOOLS, TURNS, VIEW

if TYPE_CHECKING:
    from realtime_cli.view.subtitles import Format

LISTENING = ("mic", "ptt", "ptt_key", "ptt_max_s", "half_duplex", "aec", "mute")
"""Settings about a microphone, which a turn that is typed or read from a file has no use for."""

FORMATS: tuple[Format, ...] = ("txt", "srt", "vtt", "json")
"""Of the transcript that ``transcribe`` writes."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command as the command line knows it.

    The function that runs it takes the resolved settings, the environment, and the command's own parameters by name,
    and returns the exit code.
    """

    name: str
    """As it is typed; ``config show`` is ``show`` in the group ``config``."""
    help: str
    examples: tuple[str, ...]
    """Command lines that work as written, without the program's name."""
    own: tuple[inspect.Parameter, ...] = ()
    groups: tuple[str, ...] = ()
    """The groups of settings it takes, in the order of its help."""
    also: tuple[str, ...] = ()
    """Single settings of other groups."""
    without: tuple[str, ...] = ()
    """Settings of its groups that it does not take."""
    listed: tuple[str, ...] = ()
    """The settings that its help lists where it takes more than concern it at first; empty: all."""
    more: str = ""
    """A word below the options."""
    runs: str = ""
    """The module and the function that run it, where they are not called what it is: ``playback.play``."""
    takes_flags: bool = False
    """Its function also gets ``flags``: what the command line alone says of the settings."""

    @property
    def function(self) -> tuple[str, str]:
        """The module in this package and the function in it: ``config show`` is ``show`` in ``config``."""
        if self.runs:
            module, _, function = self.runs.partition(".")
            return module, function
        module, _, function = self.name.partition(" ")
        return module, function or "run"


def _own(name: str, kind: Any, declared: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, declared]
    )


def _flag(name: str, *names: str, help: str) -> inspect.Parameter:
    return _own(name, bool, Option(*names, help=help, show_default=False), False)


def _limit(default: int, help: str) -> inspect.Parameter:
    return _own("limit", int, Option("--limit", "-n", help=help, metavar="N", min=0), default)


_RESUME = _own(
    "resume",
    str | None,
    Option("--resume", help="Go on with a saved conversation: the last, or this one", metavar="[ID]"),
)

_REQUIRED = inspect.Parameter.empty

_NAME = _own("name", str, Argument(help="The id, a unique beginning of it, or last", metavar="ID"), _REQUIRED)

_SINCE = _own(
    "since", str | None, Option("--since", help="Only those since this day: 2026-11-26, today, 7d", metavar="DAY")
)

COMMANDS = (
    Command(
        name="chat",
        help="Talk: microphone and speaker, until Ctrl-C, /quit, or the end of a file microphone.",
        examples=(
            "chat --voice marin",
            'chat --mic "USB" --speaker "Headset" --ptt',
            "chat --local --mic examples/question.wav --speaker reply.wav",
        ),
        own=(_RESUME,),
        groups=(AUDIO, SERVER, ENGINES, SESSION, TURNS, TOOLS, SAVING, VIEW),
    ),
    Command(
        name="say",
        help="Say one thing in writing; the reply streams to stdout as it comes.",
        examples=(
            'say "Name three rivers."',
            'git diff | realtime-cli say - -i "Write a commit message."',
            "say --interactive",
        ),
        own=(
            _own("text", str | None, Argument(help="What to say; - reads it from stdin", metavar="[TEXT]")),
            _flag("interactive", "--interactive", "-I", help="Several turns: one a line of stdin"),
            _RESUME,
            _own("image", list[Path] | None, Option(help="Show it a PNG or JPEG; repeatable", metavar="FILE")),
        ),
        groups=(SERVER, ENGINES, SESSION, AUDIO, TOOLS, SAVING, VIEW),
        without=(*LISTENING, "max_turns"),
    ),
    Command(
        name="ask",
        help="Ask a spoken question from a file; the reply goes to stdout, and is spoken with --speaker.\n\n"
        "Several files are several turns of one conversation.",
        examples=(
            "ask examples/question.wav --local",
            "ask first.wav second.flac --speaker reply.wav",
        ),
        own=(
            _own(
                "files",
                list[Path],
                Argument(help="Recordings of any common format; - is standard input", metavar="FILE..."),
                inspect.Parameter.empty,
            ),
            _flag("as_item", "--as-item", help="Send each as one item, not as a stream"),
        ),
        groups=(SERVER, ENGINES, SESSION, AUDIO, TURNS, TOOLS, SAVING, VIEW),
        also=("language", "keywords", "transcription_model"),
        without=(
            *LISTENING,
            "max_turns",
            *("vad", "vad_threshold", "silence_ms", "prefix_padding_ms", "idle_timeout_ms", "eagerness"),
            *("noise_reduction", "auto_response", "interruptions"),
        ),
    ),
    Command(
        name="transcribe",
        help="Write down what is said into the microphone, until Ctrl-C, or in a recording. Nobody answers.",
        examples=(
            "transcribe talk.mp3 -o talk.srt",
            'transcribe --language de --keywords "Realtime, Lovelace"',
        ),
        own=(
            _own(
                "file",
                Path | None,
                Argument(help="A recording, - for standard input; without one, the microphone", metavar="[FILE]"),
            ),
            _own("form", str, Option("--format", help="txt, srt, vtt or json", metavar="|".join(FORMATS)), default=""),
            _own(
                "output",
                Path | None,
                Option("--output", "-o", help="Write the transcript to this file", metavar="FILE"),
            ),
        ),
        groups=(SERVER, ENGINES, TURNS, SAVING, VIEW),
        also=("mic",),
        without=(
            *("auto_response", "interruptions", "idle_timeout_ms", "stats"),
            *("lm", "lm_model", "tts", "tts_model"),
        ),
    ),
    Command(
        name="serve",
        help="Run the local voice server for any client of the Realtime API, until Ctrl-C.",
        examples=(
            "serve",
            "serve --lm http://localhost:11434/v1 --lm-model llama3.2",
            "serve --host 0.0.0.0 --token-file ~/voice-token --max-sessions 4",
        ),
        own=(
            _flag("list_engines", "--list-engines", help="Say which engines there are, what each needs, and stop"),
            _own("host", str, Option("--host", help="Address to listen on", metavar="ADDRESS"), "127.0.0.1"),
            _own("port", int, Option("--port", help="Port; 0 takes a free one", metavar="N"), 8765),
            _own(
                "token_file",
                Path | None,
                Option(
                    "--token-file", help="Clients must bring the key in this file; needed off loopback", metavar="FILE"
                ),
            ),
            _own("max_sessions", int, Option("--max-sessions", help="Sessions at a time", metavar="N"), 8),
            _own(
                "session_minutes",
                float,
                Option("--session-minutes", help="A session's longest life", metavar="M"),
                60.0,
            ),
            _own(
                "idle_minutes",
                float,
                Option("--idle-minutes", help="Its end when the client is silent", metavar="M"),
                15.0,
            ),
            _own(
                "allow_origin",
                list[str] | None,
                Option("--allow-origin", help="A web page that may use it without a key; repeatable", metavar="URL"),
            ),
        ),
        groups=(ENGINES,),
        also=("json", "debug"),
    ),
    Command(
        name="web",
        help="Talk in a browser: opens a page on this machine, until Ctrl-C.",
        examples=("web", "web --local --port 8080 --no-open", "web --instructions @guide.md --voice marin"),
        own=(
            _own("port", int, Option("--port", help="Port; 0 takes a free one", metavar="N"), 0),
            _flag("no_open", "--no-open", help="Print the page's address and open no browser"),
        ),
        groups=(SERVER, ENGINES, SESSION, TURNS),
        also=("save", "save_instructions", "json", "debug"),
        without=(
            *("max_turns", "greet", "greeting", "side_channel", "budget", "idle_timeout"),
            *("dialect", "answer_timeout", "reconnect_s", "ping_s", "interruptions", "auto_response"),
        ),
        listed=(
            *("provider", "local", "model", "base_url", "profile"),
            *("instructions", "voice", "language", "transcription_model", "vad", "save", "json", "debug"),
        ),
        more="It takes most other options of a session, too; see realtime-cli chat --help.",
    ),
    Command(
        name="devices",
        help="List audio devices, the defaults marked, with their own rates.",
        examples=("devices", "devices --json"),
        also=("json", "debug"),
    ),
    Command(
        name="doctor",
        help="Check all that a chat needs: one line a check, with the fix. Exit 0 only if chat would work.",
        examples=("doctor", "doctor --local", "doctor --no-sound --no-turn --json"),
        own=(
            _flag("no_sound", "--no-sound", help="Play no chirp"),
            _flag("no_turn", "--no-turn", help="Ask nothing, which costs a few tokens"),
        ),
        groups=(AUDIO, SERVER, ENGINES, SESSION, TURNS, TOOLS),
        also=("json", "debug"),
        without=("max_turns",),
        listed=(
            *("mic", "speaker", "provider", "local", "model", "base_url", "dialect", "profile"),
            *("tools", "mcp", "json", "debug"),
        ),
        more="It takes every other option of chat, too, and checks what chat would do with it.",
    ),
    Command(
        name="config show",
        help="Print each setting, its value and where it came from; add flags to see what they would change.",
        examples=("config show", "config show --profile work --json"),
        groups=(AUDIO, SERVER, ENGINES, SESSION, TURNS, TOOLS, SAVING, VIEW),
        listed=("profile", "json", "debug"),
        more="It takes every option of chat, too, and shows what would count.",
        takes_flags=True,
    ),
    Command(
        name="fetch",
        help="Fetch weights of the embedded server beforehand; goes on with a broken download.\n\n"
        "smollm2, its language model (93 MB), is needed by all; whisper-base (150 MB) understands a hundred languages, "
        "smart-turn (12 MB) is for --vad semantic.",
        examples=("fetch", "fetch whisper-base smart-turn"),
        own=(
            _own(
                "names",
                list[str] | None,
                Argument(help="smollm2 (the default), whisper-base, smart-turn, or all", metavar="[NAME...]"),
            ),
        ),
        also=("debug",),
    ),
    Command(
        name="token",
        help="Mint an ephemeral client secret with these session options; it alone goes to stdout.",
        examples=(
            "token --instructions @guide.md --voice marin --expires-in 600",
            "token --transcription --language en --json",
        ),
        own=(
            _own(
                "expires_in",
                int | None,
                Option("--expires-in", help="How long sessions can be started with it, 10 to 7200", metavar="SECONDS"),
            ),
            _flag("transcription", "--transcription", help="For transcriptions, not for talks"),
        ),
        groups=(SERVER, SESSION, TURNS),
        also=("json", "debug"),
        without=("max_turns", "greet", "greeting", "side_channel"),
        listed=(
            *("provider", "model", "base_url", "profile"),
            *("instructions", "voice", "language", "transcription_model", "vad", "json", "debug"),
        ),
        more="It takes every other option of a session, too; see realtime-cli chat --help.",
    ),
    Command(
        name="sessions list",
        help="List the saved conversations, the newest first.",
        examples=("sessions list", "sessions list --since 7d --provider openai"),
        own=(_SINCE, _limit(20, "Print so many at the most; 0: all")),
        also=("provider", "json", "debug"),
        runs="sessions.show_list",
    ),
    Command(
        name="sessions search",
        help="Find the lines in which all the words stand. Exit 1 if there are none.",
        examples=('sessions search "capital of France"', "sessions search paris --json"),
        own=(
            _own("words", list[str], Argument(help="Words, in any order", metavar="WORDS..."), _REQUIRED),
            _limit(100, "Print so many at the most; 0: all"),
        ),
        also=("json", "debug"),
    ),
    Command(
        name="sessions show",
        help="Print a conversation as it was on the screen.",
        examples=("sessions show last", "sessions show 3kf --json"),
        own=(_NAME,),
        also=("json", "debug"),
    ),
    Command(
        name="sessions export",
        help="Write a conversation in another form, to stdout or a file.",
        examples=(
            "sessions export last > talk.md",
            "sessions export 3kf -o talk.srt",
            "sessions export 3kf -o talk.wav",
        ),
        own=(
            _NAME,
            _own(
                "form",
                str,
                Option("--format", help="md, json, txt, srt, vtt or wav", metavar="FORMAT", show_default=False),
                "",
            ),
            _own("output", Path | None, Option("--output", "-o", help="Write it to this file", metavar="FILE")),
        ),
        also=("debug",),
    ),
    Command(
        name="sessions play",
        help="Play a recorded conversation, its lines running along.",
        examples=("sessions play last", "sessions play 3kf --from 1:30", 'sessions play 3kf --match "capital"'),
        own=(
            _NAME,
            _own("start", str | None, Option("--from", help="Begin at this time: 90 or 1:30", metavar="TIME")),
            _own("match", str | None, Option("--match", help="Begin where this was said", metavar="WORDS")),
        ),
        also=("speaker", "debug"),
        runs="playback.play",
    ),
    Command(
        name="sessions delete",
        help="Delete conversations and their recordings, after asking.",
        examples=("sessions delete last", "sessions delete 3kf 9m2 --yes"),
        own=(
            _own("names", list[str], Argument(help="Ids, or unique beginnings of them", metavar="ID..."), _REQUIRED),
            _flag("yes", "--yes", "-y", help="Do not ask"),
        ),
        also=("json", "debug"),
    ),
    Command(
        name="sessions stats",
        help="Minutes, turns, tokens and money, by day and model.",
        examples=("sessions stats", "sessions stats --since 30d --json"),
        own=(_SINCE,),
        also=("json", "debug"),
    ),
)
"""In the order of the help."""

GROUPS = {
    "config": "What is set, and where it came from.",
    "sessions": "Saved conversations: find them, read them, take them elsewhere, delete them.",
}
"""Commands that only hold others."""

HELP = "help"
"""``realtime-cli help chat`` is ``realtime-cli chat --help``."""

RESUME = "--resume"


def with_value(words: Sequence[str]) -> list[str]:
    """The command line with ``last`` behind each ``--resume`` that names no conversation.

    A word behind it counts only if it could be an id, as ``say --resume "And now?"`` has a text there.
    """
    given: list[str] = []
    for at, word in enumerate(words):
        if word == "--":
            return [*given, *words[at:]]
        following = words[at + 1] if at + 1 < len(words) else ""
        named = word != RESUME or NAMES_ONE.fullmatch(following)
        given.append(word if named else f"{RESUME}={LAST}")
    return given
