"""``realtime-cli doctor`` on servers and settings: what it finds, what it advises, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import scripts
from tests.doctor_runs import MUTE, checks
from tests.running import KEY, environment, lines_of, run
from tests.scripted_server import HttpAnswer, Script, ScriptedServer
from tests.scripted_talk import Talk
from tests.waiting import PATIENCE_S

FIELDS = {"type", "name", "status", "finding", "fix"}


def test_a_server_that_answers_is_all_right_and_the_cost_is_told() -> None:
    with ScriptedServer(scripts.text_turns("hello")) as server:
        found, code = checks(*MUTE, "--base-url", server.url, OPENAI_API_KEY=KEY)
    assert code == 0
    assert {line["status"] for line in found.values()} == {"ok"}
    assert all(set(line) == FIELDS and line["fix"] == "" for line in found.values())
    assert "OPENAI_API_KEY" in found["key"]["finding"]
    assert "TCP" in found["network"]["finding"]
    assert "is accepted" in found["session"]["finding"]
    assert "first words after" in found["reply"]["finding"]
    assert "tokens" in found["reply"]["finding"]
    (update,) = server.of_type("session.update")
    assert update["session"]["output_modalities"] == ["audio"]
    assert server.types == ["session.update", "conversation.item.create", "response.create"]


def test_no_turn_opens_the_session_and_asks_nothing() -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks(*MUTE, "--no-turn", "--base-url", server.url)
    assert code == 0
    assert "reply" not in found
    assert server.types == ["session.update"]


def test_the_key_in_dotenv_is_named_as_such_and_the_file_is_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    with ScriptedServer(scripts.text_turns()) as server:
        found, _ = checks(*MUTE, "--no-turn", "--base-url", server.url, cwd=tmp_path)
    assert "OPENAI_API_KEY in .env" in found["key"]["finding"]
    assert str(tmp_path / ".env") in found["settings"]["finding"]


@pytest.mark.parametrize(
    ("script", "name", "code", "words"),
    [
        (
            scripts.error_then_close("invalid_api_key", 3000, f"Incorrect API key: {KEY}"),
            "session",
            4,
            "OPENAI_API_KEY",
        ),
        (scripts.http_status(401, "invalid_api_key", f"Incorrect: {KEY}"), "session", 4, "OPENAI_API_KEY"),
        (scripts.error_then_close("model_not_found", 4004), "session", 4, "--model"),
        (scripts.closes(), "session", 4, "--debug"),
        (scripts.sends("<html>"), "session", 4, "--base-url"),
        (scripts.failed_response("insufficient_quota", "No credit."), "reply", 1, "credit"),
        (scripts.failed_response("who_knows", "No."), "reply", 1, "--debug"),
    ],
)
def test_a_server_that_refuses_has_its_exit_code_and_its_remedy(
    script: Script | HttpAnswer, name: str, code: int, words: str
) -> None:
    with ScriptedServer(script, checked=False) as server:
        found, ended = checks(*MUTE, "--base-url", server.url, OPENAI_API_KEY=KEY)
    assert ended == code
    assert [line["name"] for line in found.values() if line["status"] == "fail"] == [name]
    assert words in found[name]["fix"]


def refuses_the_voice(talk: Talk) -> None:
    talk.greet()
    talk.expect("session.update")
    talk.error("invalid_value", "Invalid voice 'nobody'.", param="session.audio.output.voice")
    talk.obey_until_closed()


def test_an_option_that_chat_would_be_refused_is_exit_2() -> None:
    with ScriptedServer(refuses_the_voice) as server:
        found, code = checks(*MUTE, "--voice", "nobody", "--base-url", server.url)
    assert code == 2
    assert "Invalid voice 'nobody'" in found["session"]["finding"]


def test_a_server_that_opens_with_another_event_is_all_right_as_it_is_for_a_chat() -> None:
    def script(talk: Talk) -> None:
        talk.send_raw(json.dumps({"type": "conversation.created", "conversation": {"id": "conv_1"}}))
        talk.obey_until("response.create")
        talk.reply("hello", audio_ms=100)
        talk.obey_until_closed()

    with ScriptedServer(script, checked=False) as server:
        found, code = checks(*MUTE, "--provider", "xai", "--base-url", server.url, XAI_API_KEY="xai-0123456789")
    assert code == 0, found
    assert "first words after" in found["reply"]["finding"]


def test_a_server_that_never_answers_the_question_is_exit_1() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.begin_reply()
        talk.error(None, "Something broke.")
        talk.obey_until_closed()

    with ScriptedServer(script) as server:
        found, code = checks(*MUTE, "--base-url", server.url)
    assert code == 1
    assert "Something broke" in found["reply"]["finding"]


def test_a_server_that_turns_out_to_speak_the_beta_dialect_is_all_right() -> None:
    with ScriptedServer(scripts.text_turns(), beta=True, checked=False) as server:
        _, code = checks(*MUTE, "--base-url", server.url)
    assert code == 0
    assert all("type" not in event["session"] for event in server.of_type("session.update"))


def test_the_functions_that_a_chat_would_offer_are_named_and_a_broken_file_is_exit_2(tmp_path: Path) -> None:
    tools = tmp_path / "tools.py"
    tools.write_text('print("hello")\n\ndef add(a: int, b: int) -> int:\n    """Add."""\n    return a + b\n')
    with ScriptedServer(scripts.text_turns()) as server:
        done = run("doctor", "--json", "--no-turn", *MUTE, "--tools", str(tools), "--base-url", server.url)
        tools.write_text("def add(\n")
        broken, code = checks(*MUTE, "--no-turn", "--tools", str(tools), "--base-url", server.url)
    assert done.returncode == 0
    assert "1 offered: add" in [line["finding"] for line in lines_of(done)]
    assert (code, broken["tools"]["status"]) == (2, "fail")


def test_a_port_where_nobody_listens_fails_before_the_session() -> None:
    found, code = checks(*MUTE, "--base-url", "127.0.0.1:9")
    assert code == 4
    assert found["network"]["status"] == "fail"
    assert "--base-url" in found["network"]["fix"]
    assert "session" not in found


def test_a_missing_key_is_exit_3_and_names_the_variable() -> None:
    found, code = checks(*MUTE, "--provider", "openai")
    assert code == 3
    assert "OPENAI_API_KEY" in found["key"]["fix"]


def test_an_unknown_provider_is_exit_3() -> None:
    found, code = checks(*MUTE, "--provider", "acme")
    assert code == 3
    assert "openai" in found["provider"]["fix"]


def test_push_to_talk_without_a_terminal_is_exit_2() -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        found, code = checks(*MUTE, "--ptt", "--base-url", server.url)
    assert code == 2
    assert "terminal" in found["options"]["fix"]


def test_the_local_server_is_loaded_and_asked() -> None:
    found, code = checks(*MUTE, "--local")
    assert code == 0, found
    assert {line["status"] for line in found.values()} == {"ok"}
    assert "loaded after" in found["session"]["finding"]
    assert "tokens" not in found["reply"]["finding"]


def test_weights_that_are_not_there_yet_are_no_failure_and_are_not_fetched(tmp_path: Path) -> None:
    found, code = checks(*MUTE, "--local", REALTIME_CLI_CACHE_DIR=str(tmp_path))
    assert code == 0
    assert found["weights"]["status"] == "warn"
    assert "93 MB" in found["weights"]["finding"]
    assert "session" not in found
    assert list(tmp_path.iterdir()) == []


def test_a_missing_part_of_the_local_server_is_exit_3_with_the_install_command(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['xllamacpp'] = None\n")
    found, code = checks(*MUTE, "--local", PYTHONPATH=f"{tmp_path}:{environment()['PYTHONPATH']}")
    assert code == 3
    assert "xllamacpp" in found["parts"]["finding"]
    assert "pip install" in found["parts"]["fix"]


def test_for_people_there_is_a_line_a_check_without_colours_where_there_is_no_terminal() -> None:
    done = run("doctor", *MUTE, "--provider", "openai")
    assert done.returncode == 3
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    *lines, last = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == [
        "python",
        "settings",
        "terminal",
        "microphone",
        "loudspeaker",
        "key",
    ]
    assert lines[-1].endswith("set OPENAI_API_KEY in the environment or in .env, or use --local")
    assert last == "chat will not work: mend first what failed"


def test_signs_that_cannot_be_shown_become_words() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "realtime_cli", "doctor", *MUTE, "--provider", "openai"],
        check=False,
        capture_output=True,
        env=environment(PYTHONIOENCODING="ascii"),
        timeout=PATIENCE_S,
    )
    assert done.returncode == 3, done.stderr
    first, *_, failed, _ = done.stdout.decode("ascii").splitlines()
    assert first.startswith("ok   python")
    assert failed.startswith("FAIL key")


def ctrl_c_after(check: str, *arguments: str) -> None:
    """A run that is interrupted behind this check ends at once, with 130 and without a word."""
    program = [sys.executable, "-m", "realtime_cli", "doctor", "--json", *MUTE, *arguments]
    running = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert running.stdout is not None
    for line in running.stdout:
        if json.loads(line)["name"] == check:
            break
    running.send_signal(signal.SIGINT)
    rest, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 130
    assert (rest, errors) == (b"", b"")


def test_ctrl_c_does_not_wait_for_the_local_server_to_load() -> None:
    ctrl_c_after("weights", "--local")


def test_results_come_one_by_one_and_ctrl_c_ends_with_130() -> None:
    with ScriptedServer(scripts.silent) as server:
        ctrl_c_after("network", "--base-url", server.url)
