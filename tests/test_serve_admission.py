"""Who may come into the voice server, with which key, and what those are told who may not."""

from __future__ import annotations

from typing import Any

import pytest
import websocket as websocket_client
from openai.types.realtime import ClientSecretCreateResponse

from tests.serve_requests import TOKEN, http
from tests.serving import Serving, serving

PREFLIGHT = "Access-Control-Request-Headers"


def refusal(serve: Serving, query: str = "?model=tests", **options: Any) -> tuple[str | None, int, str]:
    """Error code, close code and close reason for a client that is let into the WebSocket only to hear why not."""
    with serve.connect(query, **options) as client:
        closed = client.closed()
        (event,) = client.events
        assert event["type"] == "error"
        return event["error"]["code"], closed.code, closed.reason


@pytest.mark.parametrize("header", [["Authorization: Bearer wrong-wrong-wrong-wrong"], [], ["Authorization: Bearer"]])
def test_a_wrong_key_is_refused_as_the_remote_service_does(header: list[str]) -> None:
    with serving(token=TOKEN) as serve:
        assert refusal(serve, header=header) == ("invalid_api_key", 3000, "invalid_request_error.invalid_api_key")
        with serve.connect(header=[f"Authorization: Bearer {TOKEN}"]) as client:
            client.until("session.created")


@pytest.mark.parametrize(
    ("query", "code"),
    [("?model=", "invalid_model"), (f"?model={'x' * 300}", "invalid_model"), ("?intent=dance", "invalid_value")],
)
def test_an_unsuitable_address_is_refused(query: str, code: str) -> None:
    with serving() as serve:
        assert refusal(serve, query) == (code, 4000, f"invalid_request_error.{code}")


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("http://localhost:3000", True),
        ("http://127.0.0.1:8000", True),
        ("https://pages.example", True),
        ("https://evil.example", False),
        ("https://localhost.evil.example", False),
        ("null", False),
        ("file://", False),
    ],
)
def test_a_web_page_of_another_place_cannot_use_it(origin: str, let_in: bool) -> None:
    with serving(origins=("https://pages.example",)) as serve:
        if let_in:
            with serve.connect(origin=origin) as client:
                client.until("session.created")
        else:
            with pytest.raises(websocket_client.WebSocketBadStatusException, match="403"):
                serve.connect(origin=origin)
        status, _, headers = http(serve, "/v1/models", Origin=origin)
        assert (status == 200) == let_in
        assert (headers["Access-Control-Allow-Origin"] == origin) == let_in
        names = "authorization,x-openai-agents-sdk"
        _, _, asked = http(serve, "/v1/realtime/calls", method="OPTIONS", Origin=origin, **{PREFLIGHT: names})
        assert (asked["Access-Control-Allow-Headers"] == names) == let_in


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "["])
def test_a_name_that_was_pointed_at_this_machine_does_not_open_it(host: str) -> None:
    with serving() as serve:
        with pytest.raises(websocket_client.WebSocketBadStatusException, match="403"):
            serve.connect(host=host)
        assert http(serve, "/v1/models", Host=host)[0] == 403


def test_with_a_token_the_key_decides_and_not_the_page() -> None:
    with serving(token=TOKEN) as serve:
        with serve.connect(origin="https://app.example", host="voice.example", header={"api-key": TOKEN}) as client:
            client.until("session.created")
        assert http(serve, "/v1/models", Origin="https://app.example")[0] == 401


def test_all_places_taken_is_said_and_a_place_that_is_given_up_is_free() -> None:
    with serving(sessions=1) as serve:
        with serve.connect() as first:
            first.until("session.created")
            assert refusal(serve) == ("session_limit_reached", 1013, "invalid_request_error.session_limit_reached")
            first.close()
        with serve.connect() as second:
            second.until("session.created")


SECRETS = "/v1/realtime/client_secrets"

LONG = "".join(map(str, range(60_000)))


def test_a_client_secret_is_a_key_that_carries_its_session() -> None:
    with serving(token=TOKEN) as serve:
        session = {
            "type": "realtime",
            "model": "mine",
            "instructions": "Be brief.",
            "audio": {"output": {"speed": 1.2}},
        }
        body = {"session": session, "expires_after": {"anchor": "created_at", "seconds": 60}}
        assert http(serve, SECRETS, body)[0] == 401
        status, made, _ = http(serve, SECRETS, body, Authorization=f"Bearer {TOKEN}")
        assert status == 200
        ClientSecretCreateResponse.model_validate(made, strict=True)
        assert made["value"].startswith("ek_")
        assert made["session"]["instructions"] == "Be brief."
        with serve.connect("", header=[f"Authorization: Bearer {made['value']}"]) as client:
            begun = client.until("session.created")["session"]
            assert (begun["model"], begun["instructions"]) == ("mine", "Be brief.")
            assert begun["audio"]["output"]["speed"] == 1.2
        assert http(serve, SECRETS, body, Authorization=f"Bearer {made['value']}")[0] == 401


def test_a_client_secret_for_transcription_makes_such_a_session() -> None:
    with serving() as serve:
        _, made, _ = http(serve, SECRETS, {"session": {"type": "transcription"}})
        with serve.connect(header=[f"Authorization: Bearer {made['value']}"]) as client:
            assert client.until("session.created")["session"]["type"] == "transcription"


def test_servers_of_one_token_take_each_others_secrets_and_no_others() -> None:
    with serving(token=TOKEN) as one, serving(token=TOKEN) as two, serving(token=TOKEN + "x") as other:
        _, made, _ = http(one, SECRETS, {}, Authorization=f"Bearer {TOKEN}")
        key = [f"Authorization: Bearer {made['value']}"]
        with two.connect(header=key) as client:
            client.until("session.created")
        assert refusal(other, header=key)[0] == "invalid_api_key"


@pytest.mark.parametrize("key", ["ek_", "ek_nonsense", "ek_" + "A" * 80, "ek_ä"])
def test_an_ephemeral_key_that_was_not_made_here_is_refused_even_where_any_key_will_do(key: str) -> None:
    with serving() as serve:
        assert refusal(serve, header=[f"Authorization: Bearer {key}"])[1] == 3000


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"session": {"type": "poem"}}, "invalid_value", "session.type"),
        ({"session": {}}, "missing_required_parameter", "session.type"),
        ({"session": {"type": "realtime", "temperature": 1}}, "unknown_parameter", "session.temperature"),
        ({"expires_after": {"anchor": "created_at", "seconds": 9}}, "integer_below_min_value", None),
        ({"surprise": 1}, "unknown_parameter", None),
        ([], "invalid_value", None),
        (b"{", "invalid_json", None),
        ({"session": {"type": "realtime", "instructions": LONG}}, "invalid_value", "session"),
    ],
)
def test_a_client_secret_for_what_cannot_be_had_is_refused(body: Any, code: str, param: str | None) -> None:
    with serving() as serve:
        status, answer, _ = http(serve, SECRETS, body)
        assert (status, answer["error"]["code"]) == (400, code)
        assert param is None or answer["error"]["param"] == param
