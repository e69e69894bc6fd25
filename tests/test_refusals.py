"""Servers that refuse, and URLs that name none: one line with a remedy, and an exit code."""

from __future__ import annotations

import pytest

from tests import scripts
from tests.running import KEY, run
from tests.scripted_server import ScriptedServer

CHAT = ("chat", "--mic", "none", "--speaker", "none")
SAY = ("say", "hello")


@pytest.mark.parametrize("command", [SAY, CHAT], ids=["say", "chat"])
@pytest.mark.parametrize(
    ("script", "words"),
    [
        (scripts.error_then_close("invalid_api_key", 3000), "check the API key in OPENAI_API_KEY"),
        (scripts.error_then_close("model_not_found", 4004), "--model"),
        (scripts.error_then_close("invalid_model", 4000), "--model"),
        (scripts.error_then_close("missing_model", 4000), "--model"),
        (scripts.error_then_close("beta_api_shape_disabled", 4000), "--dialect ga"),
        (scripts.error_then_close("insufficient_quota", 4000), "add credit"),
        (scripts.error_then_close("credit_balance_exhausted", 4000), "add credit"),
        (scripts.error_then_close("rate_limit_exceeded", 4000), "wait a little"),
        (scripts.error_then_close("server_error", 1011), "try again"),
        (scripts.closes(3000, "invalid_request_error.invalid_api_key"), "check the API key in OPENAI_API_KEY"),
        (scripts.closes(4004, "invalid_request_error.model_not_found"), "--model"),
        (scripts.closes(1008, "denied"), "check the API key in OPENAI_API_KEY"),
        (scripts.http_status(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"), "in OPENAI_API_KEY"),
        (scripts.closes(1008, "Session limit reached"), "Session limit reached"),
        (scripts.closes(1011, "litellm.BadRequestError: LLM Provider NOT provided"), "--model"),
        (scripts.http_status(403), "name a model with --model"),
        (scripts.http_status(404), "--base-url and --model"),
        (scripts.http_status(404, "DeploymentNotFound", "The API deployment does not exist."), "--model"),
        (scripts.http_status(429), "wait a little"),
        (scripts.http_status(429, "insufficient_quota", "You exceeded your quota."), "add credit"),
        (scripts.http_status(400, "OpperationNotSupported", "Not with this model."), "--model"),
    ],
)
def test_what_fails_at_the_handshake_or_in_the_first_event_is_one_line_with_a_remedy_and_exit_4(
    command: tuple[str, ...], script: scripts.Script, words: str
) -> None:
    with ScriptedServer(script) as server:
        done = run(*command, "--base-url", server.url, OPENAI_API_KEY=KEY)
    assert done.returncode == 4, done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "SECRET" not in done.stderr


@pytest.mark.parametrize("command", [SAY, CHAT], ids=["say", "chat"])
@pytest.mark.parametrize("url", ["wss:///v1", "https://", "ws://:8080/v1"])
def test_a_url_without_a_host_is_exit_2_wherever_it_comes_from(command: tuple[str, ...], url: str) -> None:
    for done in (run(*command, "--base-url", url), run(*command, OPENAI_BASE_URL=url)):
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "no host" in done.stderr
