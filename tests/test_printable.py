"""Foreign text: whatever its origin, no stream that a terminal may show gets a character that the terminal obeys."""

from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.audio.drivers.devices import Device
from realtime_cli.cli.devices import show_devices
from realtime_cli.printable import json_line, neutralise, one_line, printable, spelt_out
from tests import scripts
from tests.minting import minting
from tests.running import KEY, run
from tests.scripted_server import ScriptedServer

HOSTILE = "a\x1b]0;title\x07b\x9b2Jc\x08d\x0ce\u202ef\u2066g\u2028h\x7fi"
"""A title, a cleared screen, a backspace, a form feed, two reorderings, another line, a deletion."""


def obeyed(text: str) -> list[str]:
    """The characters in it that a terminal would obey, but for tab and line feed."""
    bidi = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return [
        each
        for each in text
        if each not in "\n\t" and (unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") or each in bidi)
    ]


@given(st.text(alphabet=st.characters()))
def test_no_text_holds_a_character_that_a_terminal_obeys_once_it_is_neutralised(text: str) -> None:
    assert not obeyed(neutralise(text))
    assert not obeyed(one_line(text))
    assert "\n" not in one_line(text)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))))
def test_a_line_of_json_is_the_same_to_a_parser_and_nothing_to_a_terminal(text: str) -> None:
    line = json_line({"text": text})
    assert json.loads(line) == {"text": text}
    assert not obeyed(line)
    assert "\n" not in line


def test_half_a_character_is_no_reason_not_to_write_a_line_of_json() -> None:
    assert json.loads(json_line({"text": "a\ud83d"})) == {"text": "a\ud83d"}


@pytest.mark.parametrize("text", ["می\u200cخواهم", "👩\u200d🚀", "größer", "a\tb\nc", "שלום\u200f!"])
def test_text_of_any_language_stays_as_it_is(text: str) -> None:
    assert neutralise(text) == text


def test_what_a_person_consents_to_shows_even_what_takes_no_room() -> None:
    assert spelt_out("rm\u200b -rf\U000e0041 \x1b[1A~") == "rm\\u200b -rf\\udb40\\udc41 \\u001b[1A~"
    assert spelt_out("a\U0001d173\U0001bca0\ufff0") == "a\\ud834\\udd73\\ud82f\\udca0\\ufff0"


def test_text_that_the_stream_cannot_encode_is_replaced_and_never_an_error() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert printable("café \ud800", out) == "caf? ?"


def test_what_goes_to_a_terminal_is_neutralised_and_what_goes_to_a_file_is_left_alone() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert not obeyed(printable(HOSTILE, Terminal()))
    assert printable(HOSTILE, io.StringIO()) == HOSTILE


def test_a_servers_message_reaches_nobody_through_token() -> None:
    with minting() as mint:
        mint.status, mint.body = 400, json.dumps({"error": {"message": f"Bad: {HOSTILE}", "code": HOSTILE}}).encode()
        done = run("token", "--base-url", mint.url, OPENAI_API_KEY=KEY)
    assert done.returncode == 4
    assert "Bad: a" in done.stderr
    assert not obeyed(done.stderr)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_servers_message_reaches_nobody_through_the_doctor(form: tuple[str, ...]) -> None:
    with ScriptedServer(scripts.error_then_close("no", 4000, f"Bad: {HOSTILE}"), checked=False) as server:
        done = run("doctor", "--base-url", server.url, "--mic", "none", "--speaker", "none", *form)
    assert "Bad: a" in done.stdout
    assert not obeyed(done.stdout + done.stderr)


@pytest.mark.parametrize("form", [(), ("--json",), ("--debug",), ("--quiet",)])
def test_a_servers_message_reaches_nobody_through_a_conversation(form: tuple[str, ...]) -> None:
    with ScriptedServer(scripts.error_then_close("no", 4000, f"Bad: {HOSTILE}"), checked=False) as server:
        done = run("say", "hello", "--base-url", server.url, *form)
    assert "Bad: a" in done.stdout + done.stderr
    assert not obeyed(done.stdout + done.stderr)


def test_a_reply_is_harmless_in_json_lines() -> None:
    with ScriptedServer(scripts.text_turns(HOSTILE), checked=False) as server:
        done = run("say", "hello", "--json", "--base-url", server.url)
    assert not obeyed(done.stdout)
    assert HOSTILE in [json.loads(line).get("text") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_values_of_files_are_harmless_where_config_shows_them(tmp_path: Path, form: tuple[str, ...]) -> None:
    (tmp_path / ".env").write_text(f"REALTIME_CLI_VOICE='{HOSTILE}'\n", encoding="utf-8")
    (tmp_path / "config.toml").write_text('[defaults]\nlanguage = "d\\u001b[2Je"\n', encoding="utf-8")
    done = run("config", "show", *form, cwd=tmp_path, REALTIME_CLI_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "title" in done.stdout
    assert not obeyed(done.stdout + done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ("ask", f"{HOSTILE}.wav"),
        ("say", "x", "--image", f"{HOSTILE}.png"),
        ("say", "x", "--instructions", f"@{HOSTILE}"),
        ("say", "x", "--speed", HOSTILE),
        ("say", "x", f"--{HOSTILE}"),
        (HOSTILE,),
    ],
)
def test_words_of_the_command_line_are_repeated_without_what_a_terminal_obeys(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode in (2, 3)
    assert done.stderr.count("\n") == 1
    assert not obeyed(done.stderr)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_name_of_a_device_is_harmless(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    show_devices([Device(0, f"USB {HOSTILE}", HOSTILE, 1, 2, 48_000, True, True)], as_json=as_json)
    out = capsys.readouterr().out
    assert "USB" in out
    assert not obeyed(out)
