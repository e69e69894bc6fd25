"""``token`` against an HTTP server on loopback that answers as the interface does."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from realtime_cli.errors import ConnectionFailed
from realtime_cli.providers.endpoint import Endpoint, endpoint
from realtime_cli.providers.profiles import AZURE, CUSTOM, OPENAI
from realtime_cli.transport.client_secrets import mint, secrets_url
from tests import scripts
from tests.minting import SECRET, minting
from tests.network import closed_port
from tests.running import KEY, run
from tests.scripted_server import ScriptedServer


def test_the_secret_alone_is_on_stdout_and_the_expiry_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text("Be kind.")
    with minting() as mint:
        arguments = ("--instructions", "@guide.md", "--voice", "marin", "--expires-in", "60", "-m", "gpt-realtime-2.1")
        done = run("token", *arguments, "--base-url", mint.url, cwd=tmp_path, OPENAI_API_KEY=KEY)
    assert (done.returncode, done.stdout) == (0, f"{SECRET}\n"), done.stderr
    assert done.stderr.startswith("expires 20")
    assert "(in 1 min" in done.stderr or "(in 0 min" in done.stderr
    (asked,) = mint.asked
    assert asked["path"] == "/v1/realtime/client_secrets"
    assert asked["headers"]["authorization"] == f"Bearer {KEY}"
    assert asked["body"]["expires_after"] == {"anchor": "created_at", "seconds": 60}
    assert mint.session["instructions"] == "Be kind."
    assert mint.session["audio"]["output"]["voice"] == "marin"
    assert mint.session["model"] == "gpt-realtime-2.1"
    assert mint.session["output_modalities"] == ["audio"]


def test_a_secret_for_transcriptions() -> None:
    with minting() as mint:
        arguments = ("--transcription", "--language", "de", "--transcription-model", "gpt-transcribe")
        done = run("token", *arguments, "--base-url", mint.url, OPENAI_API_KEY=KEY)
    assert done.stdout == f"{SECRET}\n"
    assert mint.session["type"] == "transcription"
    assert mint.session["audio"]["input"]["transcription"] == {"model": "gpt-transcribe", "languages": ["de"]}
    assert "expires_after" not in mint.asked[0]["body"]


def test_json_is_the_whole_answer() -> None:
    with minting() as mint:
        done = run("token", "--json", "--base-url", mint.url, OPENAI_API_KEY=KEY)
    answer = json.loads(done.stdout)
    assert answer["value"] == SECRET
    assert answer["session"]["type"] == "realtime"


@pytest.mark.parametrize(
    ("status", "words"), [(401, "OPENAI_API_KEY"), (403, "403"), (404, "404"), (429, "429"), (500, "500"), (302, "302")]
)
def test_a_refusal_is_one_line_and_exit_4_and_the_key_does_not_show(status: int, words: str) -> None:
    with minting() as mint:
        mint.status = status
        mint.body = json.dumps({"error": {"message": f"No way with {KEY}.", "code": None}}).encode()
        done = run("token", "--base-url", mint.url, OPENAI_API_KEY=KEY)
    assert (done.returncode, done.stdout) == (4, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "SECRET" not in done.stderr
    assert len(mint.asked) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"value": ""}', b'{"value": 7}'])
def test_an_answer_that_is_no_secret_is_exit_4(body: bytes) -> None:
    with minting() as mint:
        mint.body = body
        done = run("token", "--base-url", mint.url, OPENAI_API_KEY=KEY)
    assert (done.returncode, done.stdout) == (4, "")
    assert "no client secret" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        place = endpoint(CUSTOM, {}, base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}/v1")
        with pytest.raises(ConnectionFailed, match="does not answer"):
            mint(place, {"type": "realtime"}, answer_timeout_s=0.1)


def test_a_server_that_is_not_there_or_breaks_off_is_exit_4() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

        def hang_up() -> None:
            client, _ = listener.accept()
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        broken = run("token", "--base-url", url, OPENAI_API_KEY=KEY)
        thread.join()
    with closed_port() as port:
        refused = run("token", "--base-url", f"http://127.0.0.1:{port}/v1", OPENAI_API_KEY=KEY)
    for done, words in ((broken, "breaks off"), (refused, "refuses the connection")):
        assert done.returncode == 4
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_server_that_has_no_secrets_says_so_and_blames_neither_url_nor_key() -> None:
    with minting() as mint, ScriptedServer(scripts.text_turns()) as sockets_only:
        mint.status, mint.body = 404, b'{"detail": "Not Found"}'
        done = [run("token", "--base-url", url, OPENAI_API_KEY=KEY) for url in (mint.url, sockets_only.url)]
    done.append(run("token", "--provider", "speech-to-speech"))
    assert [each.returncode for each in done] == [4, 4, 2]
    for each in done:
        assert "client secrets" in each.stderr
        assert "OPENAI_API_KEY" not in each.stderr
        assert each.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--provider", "openai"], 3, "OPENAI_API_KEY"),
        ([], 3, "OPENAI_API_KEY"),
        (["--local"], 2, "embedded"),
        (["--base-url", "127.0.0.1:9", "--expires-in", "9"], 2, "10 to 7200"),
        (["--base-url", "127.0.0.1:9", "--expires-in", "7201"], 2, "10 to 7200"),
        (["--base-url", "127.0.0.1:9", "--dialect", "beta"], 2, "GA"),
    ],
)
def test_what_cannot_be_minted_says_why(arguments: list[str], code: int, words: str) -> None:
    done = run("token", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_place_is_beside_the_realtime_endpoint() -> None:
    def place(provider: Any, **environment: str) -> Endpoint:
        return endpoint(provider, environment, model="m")

    openai = place(OPENAI, OPENAI_API_KEY=KEY)
    assert secrets_url(openai) == "https://api.openai.com/v1/realtime/client_secrets"
    azure = place(AZURE, AZURE_OPENAI_API_KEY=KEY, AZURE_OPENAI_ENDPOINT="https://me.openai.azure.com")
    assert secrets_url(azure) == "https://me.openai.azure.com/openai/v1/realtime/client_secrets"
    assert azure.headers["api-key"] == KEY
