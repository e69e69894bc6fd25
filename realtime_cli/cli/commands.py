"""What each command is called, takes and says of itself. What it does is in a module of its own, loaded when it runs.

Options that are settings come from :mod:`realtime_cli.settings.settings`, by their groups; only what belongs to one
command alone is declared here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from typer import Argument, Option

from realtime_cli.cli.command import REQUIRED, Command, own_flag, own_option
from realtime_cli.cli.saved_commands import SAVED_CONVERSATIONS
from realtime_cli.journal.folder import LAST, NAMES_ONE
from realtime_cli.settings.settings import AUDIO, ENGINES, SAVING, SERVER, SESSION, TOOLS, TURNS, VIEW

if TYPE_CHECKING:
    from realtime_cli.view.subtitles import Format

LISTENING = ("mic", "ptt", "ptt_key", "ptt_max_s", "half_duplex", "aec", "mute")
"""Settings about a microphone, which a turn that is typed or read from a file has no use for."""

FORMATS: tuple[Format, ...] = ("txt", "srt", "vtt", "json")
"""Of the transcript that ``transcribe`` writes."""


_RESUME = own_option(
    "resume",
    str | None,
    Option("--resume", help="Go on with a saved conversation: the last, or this one", metavar="[ID]"),
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
            own_option("text", str | None, Argument(help="What to say; - reads it from stdin", metavar="[TEXT]")),
            own_flag("interactive", "--interactive", "-I", help="Several turns: one a line of stdin"),
            _RESUME,
            own_option("image", list[Path] | None, Option(help="Show it a PNG or JPEG; repeatable", metavar="FILE")),
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
            own_option(
                "files",
                list[Path],
                Argument(help="Recordings of any common format; - is standard input", metavar="FILE..."),
                REQUIRED,
            ),
            own_flag("as_item", "--as-item", help="Send each as one item, not as a stream"),
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
            own_option(
                "file",
                Path | None,
                Argument(help="A recording, - for standard input; without one, the microphone", metavar="[FILE]"),
            ),
            own_option(
                "form", str, Option("--format", help="txt, srt, vtt or json", metavar="|".join(FORMATS)), default=""
            ),
            own_option(
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
            own_flag("list_engines", "--list-engines", help="Say which engines there are, what each needs, and stop"),
            own_option("host", str, Option("--host", help="Address to listen on", metavar="ADDRESS"), "127.0.0.1"),
            own_option("port", int, Option("--port", help="Port; 0 takes a free one", metavar="N"), 8765),
            own_option(
                "token_file",
                Path | None,
                Option(
                    "--token-file", help="Clients must bring the key in this file; needed off loopback", metavar="FILE"
                ),
            ),
            own_option("max_sessions", int, Option("--max-sessions", help="Sessions at a time", metavar="N"), 8),
            own_option(
                "session_minutes",
                float,
                Option("--session-minutes", help="A session's longest life", metavar="M"),
                60.0,
            ),
            own_option(
                "idle_minutes",
                float,
                Option("--idle-minutes", help="Its end when the client is silent", metavar="M"),
                15.0,
            ),
            own_option(
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
        examples=(
            "web --instructions @guide.md --voice marin",
            "web --local --port 8080 --no-open",
            "web --tools tools.py --resume",
        ),
        own=(
            own_option("port", int, Option("--port", help="Port; 0 takes a free one", metavar="N"), 0),
            own_flag("no_open", "--no-open", help="Print the page's address and open no browser"),
            _RESUME,
        ),
        groups=(SERVER, ENGINES, SESSION, TURNS, TOOLS),
        also=("save", "save_instructions", "json", "debug"),
        without=(
            *("max_turns", "side_channel"),
            *("answer_timeout", "reconnect_s", "interruptions", "auto_response"),
        ),
        listed=(
            *("provider", "local", "model", "base_url", "profile", "tools", "mcp", "remote_mcp", "confirm_tools"),
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
            own_flag("no_sound", "--no-sound", help="Play no chirp"),
            own_flag("no_turn", "--no-turn", help="Ask nothing, which costs a few tokens"),
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
            own_option(
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
            own_option(
                "expires_in",
                int | None,
                Option("--expires-in", help="How long sessions can be started with it, 10 to 7200", metavar="SECONDS"),
            ),
            own_flag("transcription", "--transcription", help="For transcriptions, not for talks"),
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
    *SAVED_CONVERSATIONS,
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
