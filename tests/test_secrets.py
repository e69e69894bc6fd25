"""A key shows nowhere, whatever goes wrong and whoever repeats it: in nothing that is printed, written or listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from realtime_cli.protocol.redaction import HIDDEN, hide, without_keys
from tests import scripts
from tests.minting import minting
from tests.running import ROOT, environment
from tests.scripted_server import HttpAnswer, Raw, Script, ScriptedServer
from tests.scripted_talk import Talk
from tests.waiting import PATIENCE_S

LIKE_A_KEY = "sk-proj-0123456789abcdefMARKED"
LIKE_NOTHING = "0123456789abcdef-MARKED-fedcba"
"""As Azure's: nothing about it says that it is a key."""

EVERY_KEY = pytest.mark.parametrize("key", [LIKE_A_KEY, LIKE_NOTHING])
QUESTION = str(ROOT / "examples" / "question.wav")


def repeats_it_everywhere(key: str) -> Script:
    """Greets, and then says the key in every field that is shown to anybody."""

    def script(talk: Talk) -> None:
        talk.greet()
        talk.expect("session.update")
        talk.send({"type": "error", "event_id": "e", "error": {"type": key, "code": key, "message": key, "param": key}})
        failed = {"type": "conversation.item.input_audio_transcription.failed", "event_id": "e", "item_id": "i"}
        talk.send({**failed, "content_index": 0, "error": {"message": f"no: {key}", "code": key, "type": key}})
        reply = talk.begin_reply()
        reply.fail(key, f"The key {key} is out of money.")
        talk.close(4000, f"because of {key}")

    return script


def failures(key: str) -> dict[str, Script | HttpAnswer | Raw]:
    """Ways to fail in which a server repeats the key."""
    return {
        "everywhere": repeats_it_everywhere(key),
        "error": scripts.error_then_close("invalid_api_key", 3000, f"Incorrect API key provided: {key}."),
        "failed response": scripts.failed_response("insufficient_quota", f"{key} has no credit."),
        "reason": scripts.closes(1008, f"{key} is refused"),
        "refusal": scripts.http_status(401, key, f"Incorrect API key provided: {key}."),
        "elsewhere": scripts.redirect(f"http://127.0.0.1:9/{key}"),
        "no protocol": scripts.sends(f"<html>{key}"),
        "reply": scripts.text_turns(f"Your key is {key}."),
    }


COMMANDS: dict[str, tuple[str, ...]] = {
    "say": ("say", "hello"),
    "ask": ("ask", QUESTION),
    "transcribe": ("transcribe", QUESTION, "-o", "written.srt"),
    "chat": ("chat", "--mic", "none", "--speaker", "written.wav", "--greet", "--max-turns", "1"),
    "doctor": ("doctor", "--mic", "none", "--speaker", "none"),
    "config": ("config", "show"),
}
FORMS = {"plain": (), "json": ("--json",), "debug": ("--debug",)}


def told(arguments: tuple[str, ...], folder: Path, **variables: str) -> bytes:
    """All that a run prints, leaves in files, and shows in the list of processes."""
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "realtime_cli", *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(**home, **variables),
    ) as running:
        listed = b""
        if sys.platform == "linux":
            listed = Path(f"/proc/{running.pid}/cmdline").read_bytes() + Path(f"/proc/{running.pid}/comm").read_bytes()
        printed, _ = running.communicate(timeout=PATIENCE_S)
    written = [path.read_bytes() + os.fsencode(path) for path in folder.rglob("*") if path.is_file()]
    return b"\n".join((printed, listed, *written))


@pytest.mark.parametrize(
    ("command", "form", "name"),
    [
        *(("say", "debug", name) for name in failures("")),
        ("say", "json", "everywhere"),
        ("doctor", "plain", "error"),
        ("transcribe", "debug", "error"),
        ("ask", "plain", "everywhere"),
        ("chat", "debug", "error"),
    ],
)
def test_a_key_that_a_server_repeats_shows_nowhere(tmp_path: Path, command: str, form: str, name: str) -> None:
    key = LIKE_NOTHING if form == "debug" else LIKE_A_KEY
    with ScriptedServer(failures(key)[name], checked=False) as server:
        arguments = (*COMMANDS[command], *FORMS[form], "--base-url", server.url)
        shown = told(arguments, tmp_path, OPENAI_API_KEY=key, REALTIME_CLI_RECONNECT_S="0")
    assert b"MARKED" not in shown, shown
    assert b"no such option" not in shown


@pytest.mark.parametrize("command", ["say", "transcribe", "chat", "doctor", "config"])
def test_a_key_shows_in_no_command_that_cannot_reach_its_server(tmp_path: Path, command: str) -> None:
    arguments = (*COMMANDS[command], "--debug", *(() if command == "config" else ("--base-url", "http://127.0.0.1:9")))
    assert b"MARKED" not in told(arguments, tmp_path, OPENAI_API_KEY=LIKE_NOTHING)


@EVERY_KEY
def test_a_key_that_is_refused_shows_in_no_answer_of_token(tmp_path: Path, key: str) -> None:
    with minting() as mint:
        mint.status, mint.body = 401, json.dumps({"error": {"message": f"{key} is wrong", "code": key}}).encode()
        arguments = ("token", "--base-url", mint.url, "--debug")
        assert b"MARKED" not in told(arguments, tmp_path, OPENAI_API_KEY=key)


def test_a_password_in_a_proxys_url_shows_nowhere(tmp_path: Path) -> None:
    arguments = ("say", "hello", "--base-url", "wss://localhost.invalid", "--debug")
    variables = {"https_proxy": f"http://me:{LIKE_NOTHING}@127.0.0.1:9", "OPENAI_API_KEY": "a-harmless-key"}
    assert b"MARKED" not in told(arguments, tmp_path, **variables)


@EVERY_KEY
def test_a_key_that_an_exception_carries_shows_in_no_traceback(tmp_path: Path, key: str) -> None:
    (tmp_path / "tools.py").write_text("import os\n\nraise ValueError(os.environ['OPENAI_API_KEY'])\n")
    shown = told(
        ("say", "hello", "--tools", "tools.py", "--base-url", "127.0.0.1:9", "--debug"), tmp_path, OPENAI_API_KEY=key
    )
    assert b"Traceback" in shown
    assert b"MARKED" not in shown


def test_what_looks_like_a_key_is_hidden_in_every_field_but_those_of_the_conversation() -> None:
    inner = {"status_details": {"error": {"message": f"no {LIKE_A_KEY}"}}, "output": [{"error": LIKE_A_KEY}]}
    body = {"response": inner, "delta": LIKE_A_KEY, "numbers": [1, None, True]}
    assert without_keys(body) == {
        "response": {"status_details": {"error": {"message": f"no {HIDDEN}"}}, "output": [{"error": HIDDEN}]},
        "delta": LIKE_A_KEY,
        "numbers": [1, None, True],
    }


@pytest.mark.parametrize("written", [r"ab\/cd+ef==", r"\u0061b/cd\u002Bef==", "ab/cd+ef=="])
def test_a_key_is_hidden_however_json_spells_it(written: str) -> None:
    told = json.loads(hide(f'{{"text":"it is {written}, \\n or \\u0061b"}}', ["ab/cd+ef=="]))
    assert told == {"text": f"it is {HIDDEN}, \n or ab"}
