"""``realtime-cli serve`` as people and scripts start and stop it, with the bundled engines."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.running import ROOT, environment, run
from tests.serving import Client
from tests.waiting import PATIENCE_S

TOKEN = "a-token-of-the-tests-0123456789"


class Started:
    """The program, ready to be connected to."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready

    def stop(self, signum: int) -> int:
        """End it by a signal; returns the exit code."""
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE_S)


@contextmanager
def started(*arguments: str, **variables: str) -> Iterator[Started]:
    command = [sys.executable, "-m", "realtime_cli", "serve", "--port", "0", "--json", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment(**variables), text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield Started(process, json.loads(line))
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_the_program_talks_to_it_and_ctrl_c_ends_both_with_what_is_said_of_it() -> None:
    with started() as serve:
        assert serve.ready["type"] == "listening"
        assert serve.ready["base_url"] == f"http://127.0.0.1:{serve.ready['port']}/v1"
        assert not serve.ready["needs_token"]
        done = run("say", "Hello there.", "--base-url", serve.ready["base_url"], "--text-only")
        assert (done.returncode, done.stderr.count("error")) == (0, 0), done.stderr
        assert done.stdout.strip()
        client = Client(serve.ready["websocket_url"])
        client.until("session.created")
        serve.process.send_signal(signal.SIGINT)
        assert client.closed().code == 1001
        client.close()
        assert serve.process.wait(PATIENCE_S) == 130
        assert serve.process.stderr is not None
        assert "Traceback" not in serve.process.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_token_from_a_file_is_asked_of_every_client_and_sigterm_ends_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with started("--token-file", str(file), "--host", "0.0.0.0") as serve:
        assert serve.ready["needs_token"]
        with Client(serve.ready["websocket_url"]) as stranger:
            assert stranger.closed().code == 3000
        done = run("say", "Hello.", "--base-url", serve.ready["base_url"], "--text-only", OPENAI_API_KEY=TOKEN)
        assert done.returncode == 0, done.stderr
        assert serve.stop(signal.SIGTERM) == 0
        assert serve.process.stdout is not None
        assert TOKEN not in serve.process.stdout.read()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--host", "0.0.0.0"], 3, "no token is set"),
        (["--host", "no-such-host.invalid"], 2, "no address of this machine"),
        (["--port", "70000"], 2, "--port: 70000"),
        (["--max-sessions", "0"], 2, "--max-sessions"),
        (["--session-minutes", "0"], 2, "--session-minutes"),
        (["--token-file", "nowhere"], 2, "cannot read nowhere"),
    ],
)
def test_what_cannot_be_served_is_one_line(arguments: list[str], code: int, words: str) -> None:
    done = run("serve", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert words in done.stderr


def test_a_weak_token_is_refused_without_being_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("swordfish")
    done = run("serve", "--token-file", str(file))
    assert done.returncode == 2
    assert "swordfish" not in done.stderr
    done = run("serve", REALTIME_CLI_SERVE_TOKEN="swordfish")
    assert (done.returncode, "REALTIME_CLI_SERVE_TOKEN" in done.stderr) == (2, True)


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert f"127.0.0.1:{port}" in done.stderr


def test_a_local_chat_loads_nothing_of_the_socket() -> None:
    program = (
        "import sys, realtime_cli.server.local_server, realtime_cli.transport.loopback\n"
        "sys.exit(f'{found}' if (found := {'websockets', 'http.server', 'selectors'} & set(sys.modules)) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=environment())
    assert done.returncode == 0, done.stderr.decode()


def test_without_the_package_that_speaks_websocket_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "websockets.py").write_text("raise ModuleNotFoundError('gone', name='websockets')\n")
    done = run("serve", "--port", "0", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "pip install" in done.stderr
