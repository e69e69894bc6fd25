"""The dialect that is guessed for a server, and how the server itself corrects a wrong guess."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import scripts
from tests.running import run
from tests.scripted_server import ScriptedServer, session_sent
from tests.scripted_talk import Talk

GA_SESSION = {"type": "realtime", "audio": {}}
BETA_SESSION = {"modalities": ["text", "audio"], "voice": "alloy"}


def opens_with(*first: dict[str, Any], reply: str = "Fine.") -> scripts.Script:
    """Sends these as they are in the place of a greeting, then answers."""

    def script(talk: Talk) -> None:
        for event in first:
            talk.send_raw(json.dumps(event))
        talk.obey_until("response.create")
        talk.reply(reply)
        talk.obey_until_closed()

    return script


def created(**session: Any) -> dict[str, Any]:
    return {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1", **session}}


def test_the_session_that_a_server_shows_corrects_a_wrong_guess_with_a_notice() -> None:
    with ScriptedServer(scripts.text_turns("Old school."), beta=True) as server:
        done = run("say", "hello", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Old school.\n")
    assert done.stderr.count("\n") == 1
    assert "beta" in done.stderr
    assert server.types == ["session.update", "conversation.item.create", "response.create"]
    assert session_sent(server)["modalities"] == ["text"]
    with ScriptedServer(scripts.text_turns("New school.")) as server:
        done = run("say", "hello", "--provider", "speaches", "--model", "m", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "New school.\n")
    assert "ga" in done.stderr
    assert session_sent(server)["output_modalities"] == ["text"]


def test_a_server_that_shows_xais_session_gets_one() -> None:
    with ScriptedServer(opens_with(created(voice="Ara", audio={})), checked=False) as server:
        done = run("say", "hello", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Fine.\n")
    assert session_sent(server)["modalities"] == ["text"]
    assert "type" not in session_sent(server)


@pytest.mark.parametrize(
    ("beta", "code", "arguments", "field"),
    [
        (True, "unknown_parameter", (), "modalities"),
        (False, "missing_required_parameter", ("--provider", "speaches", "--model", "m"), "output_modalities"),
    ],
)
def test_the_error_by_which_a_server_shows_its_dialect_corrects_a_wrong_guess_too(
    beta: bool, code: str, arguments: tuple[str, ...], field: str
) -> None:
    def script(talk: Talk) -> None:
        talk.send_raw(json.dumps(created()))
        talk.receive()
        talk.error(code, "Parameter.", param="session.type", event_id="evt_000001")
        talk.obey_until("response.create")
        talk.reply("Fine.")
        talk.obey_until_closed()

    with ScriptedServer(script, beta=beta, checked=False) as server:
        done = run("say", "hello", "--base-url", server.url, *arguments)
    assert (done.returncode, done.stdout) == (0, "Fine.\n")
    assert done.stderr.count("\n") == 1
    assert len(server.of_type("session.update")) == 2
    assert session_sent(server)[field] == ["text"]


def test_a_guess_is_corrected_only_once() -> None:
    def script(talk: Talk) -> None:
        talk.send_raw(json.dumps(created(voice="Ara", audio={})))
        talk.receive()
        talk.error("unknown_parameter", "Unknown.", param="session.type")
        talk.obey_until_closed()

    with ScriptedServer(script, checked=False) as server:
        done = run("say", "hello", "--base-url", server.url)
    assert done.returncode == 4
    assert len(server.of_type("session.update")) == 1
    assert "--dialect beta" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "session"),
    [
        (("--dialect", "ga"), BETA_SESSION),
        (("--provider", "xai"), GA_SESSION),
        ((), GA_SESSION),
        ((), {}),
        ((), {"type": "realtime", "audio": {}, "voice": "x", "modalities": None}),
    ],
)
def test_what_the_user_said_or_what_fits_is_not_corrected(arguments: tuple[str, ...], session: dict[str, Any]) -> None:
    with ScriptedServer(opens_with(created(**session)), checked=False) as server:
        done = run("say", "hello", "--base-url", server.url, *arguments, XAI_API_KEY="xai-0123456789")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Fine.\n", "")
    assert ("type" in session_sent(server)) == ("xai" not in arguments)
