"""The real program as a subprocess, against the scripted server: what it prints, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import scripts
from tests.network import closed_port
from tests.running import KEY, environment, lines_of, run
from tests.scripted_server import ScriptedServer


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, realtime_cli.cli.main as m\n"
        "try: m.app(['chat', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'sounddevice', 'soundfile', 'soxr', 'websocket', 'rich.live', 'onnxruntime'}\n"
        "sys.exit(f'imported: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=environment())
    assert done.returncode == 0, done.stderr.decode()


def test_a_command_is_made_without_the_others_and_a_wrong_one_guessed_among_all() -> None:
    program = (
        "import sys, realtime_cli.cli.main as m\n"
        "try: m.app(['say', '--help'])\n"
        "except SystemExit: pass\n"
        "others = {f'realtime_cli.cli.{name}' for name in m.COMMANDS} - {'realtime_cli.cli.say'}\n"
        "sys.exit(f'imported: {others & set(sys.modules)}' if others & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=environment())
    assert done.returncode == 0, done.stderr.decode()
    wrong = run("chta")
    assert wrong.returncode == 2
    assert "Did you mean 'chat'?" in wrong.stderr


def test_say_writes_the_reply_alone_on_stdout() -> None:
    with ScriptedServer(scripts.text_turns("Good day to you.")) as server:
        done = run("say", "hello", "--base-url", server.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Good day to you.\n", "")
    assert server.types == ["session.update", "conversation.item.create", "response.create"]
    assert server.of_type("session.update")[0]["session"]["output_modalities"] == ["text"]


def test_say_imports_neither_numpy_nor_audio() -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        program = (
            "import sys, realtime_cli.cli.main as m\n"
            f"try: m.app(['say', 'hi', '--base-url', '{server.url}'])\n"
            "except SystemExit as end: assert not end.code, end.code\n"
            "heavy = {'numpy', 'sounddevice', 'soundfile', 'soxr', 'rich'} & set(sys.modules)\n"
            "sys.exit(f'imported: {heavy}' if heavy else 0)"
        )
        done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=environment())
    assert done.returncode == 0, done.stderr.decode()


def test_say_reads_the_text_from_stdin() -> None:
    with ScriptedServer(scripts.text_turns("Yes.")) as server:
        done = run("say", "-", "--base-url", server.url, stdin="größer?\n".encode())
    assert done.stdout == "Yes.\n"
    assert server.of_type("conversation.item.create")[0]["item"]["content"][0]["text"] == "größer?"


def test_say_holds_several_turns_of_one_conversation_line_by_line() -> None:
    with ScriptedServer(scripts.text_turns("One.", "Two.")) as server:
        done = run("say", "--interactive", "--base-url", server.url, stdin=b"first\n\nsecond\n")
    assert (done.returncode, done.stdout) == (0, "One.\nTwo.\n")
    texts = [event["item"]["content"][0]["text"] for event in server.of_type("conversation.item.create")]
    assert texts == ["first", "second"]
    assert len(server.handshakes) == 1


def test_json_lines_are_all_there_is_on_stdout_and_nothing_is_on_stderr() -> None:
    with ScriptedServer(scripts.text_turns("Fine.")) as server:
        done = run("say", "how are you", "--json", "--base-url", server.url)
    lines = lines_of(done)
    assert [line["type"] for line in lines if line["type"] != "assistant_delta"] == [
        "session",
        "user",
        "assistant",
        "usage",
        "cost",
        "end",
    ]
    assert all(isinstance(line["t"], float | int) for line in lines)
    said = next(line for line in lines if line["type"] == "assistant")
    assert (said["text"], said["interrupted"]) == ("Fine.", False)
    assert (lines[-1]["reason"], lines[-1]["exit_code"], done.stderr) == ("done", 0, "")


def test_the_beta_dialect_reaches_a_server_that_speaks_nothing_else() -> None:
    with ScriptedServer(scripts.text_turns("Old school."), beta=True) as server:
        done = run("say", "hello", "--base-url", server.url, "--dialect", "beta")
    assert (done.returncode, done.stdout) == (0, "Old school.\n")
    assert "type" not in server.of_type("session.update")[0]["session"]


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        (scripts.error_then_close("invalid_api_key", 3000), 4, "OPENAI_API_KEY"),
        (scripts.error_then_close("model_not_found", 4004), 4, "--model"),
        (scripts.error_then_close("beta_api_shape_disabled", 4000), 4, "--dialect ga"),
        (scripts.http_status(401), 4, "401"),
        (scripts.http_status(404), 4, "404"),
        (scripts.http_status(429), 4, "429"),
        (scripts.closes(), 4, "ended the session"),
        (scripts.closes(1001, after_greeting=True), 4, "1001"),
        (scripts.sends("<html>"), 4, "--base-url"),
        (scripts.not_http, 4, "--base-url"),
        (scripts.hangs_up, 4, "127.0.0.1"),
        (scripts.failed_response("insufficient_quota", "No credit."), 1, "No credit: add credit"),
        (scripts.incomplete_response(), 1, "--max-output-tokens"),
    ],
)
def test_a_server_that_fails_is_one_line_on_stderr_and_the_right_exit_code(
    script: scripts.Script, code: int, words: str
) -> None:
    with ScriptedServer(script, checked=False) as server:
        done = run("say", "hello", "--base-url", server.url, "--reconnect-s", "0", OPENAI_API_KEY=KEY)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_an_unreachable_host_is_one_line_and_exit_4() -> None:
    with closed_port() as port:
        done = run("say", "hello", "--base-url", f"127.0.0.1:{port}")
    assert done.returncode == 4
    assert f"127.0.0.1 port {port}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_key_for_openai_is_exit_3_and_names_the_variable() -> None:
    done = run("say", "hello", "--provider", "openai")
    assert done.returncode == 3
    assert "OPENAI_API_KEY" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unknown_provider_is_exit_3_and_names_the_known_ones() -> None:
    done = run("say", "hello", "--provider", "acme")
    assert done.returncode == 3
    assert "openai" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["say", ""],
        ["say", "  \t "],
        ["say"],
        ["say", "hello", "--speed", "9"],
        ["say", "hello", "--no-such-option"],
        ["say", "hello", "--base-url", "ftp://x"],
        ["say", "hello", "--json", "--plain"],
        ["say", "hello", "--instructions", "@nowhere.md"],
        ["chat", "--ptt"],
        ["chat", "--vad", "off", "--mic", "none", "--speaker", "none", "--base-url", "127.0.0.1:9"],
        ["ask", "nowhere.wav"],
    ],
)
def test_bad_usage_is_exit_2_without_a_traceback(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_text_on_stdin_that_is_not_utf_8_is_exit_2() -> None:
    done = run("say", "-", stdin=b"caf\xe9")
    assert done.returncode == 2
    assert "UTF-8" in done.stderr


def test_a_reader_that_goes_away_ends_the_program_quietly() -> None:
    with ScriptedServer(scripts.text_turns("word " * 20_000)) as server:
        program = [sys.executable, "-m", "realtime_cli", "say", "hello", "--base-url", server.url]
        running = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        stderr = running.stderr.read().decode()
        running.stderr.close()
        code = running.wait()
    assert "Traceback" not in stderr
    assert "Exception" not in stderr
    assert code == 0


def test_a_reader_that_takes_one_line_of_a_list_is_no_error() -> None:
    command = f'"{sys.executable}" -m realtime_cli config show | head -n 1'
    done = subprocess.run(
        ["sh", "-c", command], check=False, capture_output=True, env=environment(PYTHONUNBUFFERED="1")
    )
    assert done.stdout
    assert done.stderr == b""


def test_a_closed_standard_output_is_no_crash() -> None:
    with ScriptedServer(scripts.text_turns()) as server:
        command = f'exec "{sys.executable}" -m realtime_cli say hello --base-url {server.url} >&-'
        done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, env=environment())
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has such a device")
@pytest.mark.parametrize("words", [("--help",), ("chat", "--help"), ("config", "show"), ("config", "show", "--json")])
def test_a_full_disk_is_one_line_and_no_bug_of_ours(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "realtime_cli", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, env=environment())
        assert done.stderr == b"realtime-cli: cannot write the output: No space left on device\n"
        assert done.returncode == 2
        untold = subprocess.run([*command, "--no-such"], check=False, stdout=full, stderr=full, env=environment())
    assert untold.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has such a device")
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_reply_that_cannot_be_written_is_one_line_and_no_bug_of_ours(form: tuple[str, ...]) -> None:
    with ScriptedServer(scripts.text_turns("Fine.")) as server, Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "realtime_cli", "say", "hello", "--base-url", server.url, *form]
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, env=environment())
    assert b"No space left on device" in done.stderr
    assert b"report it" not in done.stderr
    assert done.returncode == 2


def test_the_key_is_sent_and_shows_nowhere_not_even_with_debug() -> None:
    with ScriptedServer(scripts.text_turns("Fine.")) as server:
        done = run("say", "hello", "--base-url", server.url, "--debug", OPENAI_API_KEY=KEY)
    headers = {name.lower(): value for name, value in server.handshakes[0].headers.items()}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "openai-beta" not in headers
    assert "session.update" in done.stderr
    assert "SECRET" not in done.stdout + done.stderr


def test_a_server_that_repeats_the_key_does_not_make_it_show() -> None:
    script = scripts.error_then_close("invalid_api_key", 3000, f"Incorrect API key provided: {KEY}.")
    with ScriptedServer(script) as server:
        done = run("say", "hello", "--json", "--debug", "--base-url", server.url, OPENAI_API_KEY=KEY)
    assert done.returncode == 4
    assert "SECRET" not in done.stdout + done.stderr


def test_settings_come_from_dotenv_too(tmp_path: Path) -> None:
    with ScriptedServer(scripts.text_turns("Fine.")) as server:
        (tmp_path / ".env").write_text(f"OPENAI_BASE_URL={server.url}\nREALTIME_CLI_INSTRUCTIONS=Be brief.\n")
        done = run("say", "hello", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert server.of_type("session.update")[0]["session"]["instructions"] == "Be brief."
