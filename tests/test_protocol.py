"""Events as records and as JSON, in GA shape; codes and what they mean; what may be shown."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from realtime_cli.conversation.failures import trouble_of
from realtime_cli.protocol.client_events import (
    CLIENT_EVENTS,
    ConversationItemCreate,
    ConversationItemTruncate,
    ResponseCreate,
    SessionUpdate,
    client_event_from_object,
    client_event_to_json,
    client_event_to_object,
)
from realtime_cli.protocol.codec import UnknownEvent
from realtime_cli.protocol.conversation_events import ErrorEvent, SpeechStarted, TranscriptionCompleted
from realtime_cli.protocol.error_codes import (
    Key,
    Severity,
    Target,
    classify,
    closed,
    detail_in,
    fatal_error,
    refused,
    remedy_for,
)
from realtime_cli.protocol.items import Content, ErrorDetail, Item
from realtime_cli.protocol.redaction import loggable, redact, redact_command
from realtime_cli.protocol.response_events import OutputAudioDelta, ResponseDone
from realtime_cli.protocol.server_events import SERVER_EVENTS, server_event_from_object, server_event_to_object

ITEM = Item(id="item_1", type="message", role="user", content=(Content(type="input_text", text="Hi"),))
CLIENT_BODIES: dict[str, dict[str, Any]] = {
    "session.update": {"session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
    "input_audio_buffer.append": {"audio": "AAAA"},
    "input_audio_buffer.commit": {},
    "input_audio_buffer.clear": {},
    "conversation.item.create": {"item": {"type": "function_call_output", "call_id": "call_1", "output": "4"}},
    "conversation.item.retrieve": {"item_id": "item_1"},
    "conversation.item.truncate": {"item_id": "item_1", "content_index": 0, "audio_end_ms": 1500},
    "conversation.item.delete": {"item_id": "item_1"},
    "response.create": {"response": {"output_modalities": ["text"]}},
    "response.cancel": {"response_id": "resp_1"},
}


@pytest.mark.parametrize("kind", sorted(CLIENT_EVENTS))
def test_a_client_event_survives_the_way_to_the_server_and_back(kind: str) -> None:
    body = {"type": kind, "event_id": "event_1", **CLIENT_BODIES[kind]}
    assert client_event_to_object(client_event_from_object(body)) == body


@pytest.mark.parametrize("kind", sorted(SERVER_EVENTS))
def test_a_server_event_with_nothing_in_it_is_still_one(kind: str) -> None:
    event = server_event_from_object({"type": kind})
    assert type(event) is SERVER_EVENTS[kind]
    assert server_event_from_object(server_event_to_object(event)) == event


def test_what_is_none_is_left_out_and_an_explicit_null_is_kept() -> None:
    assert client_event_to_json(ResponseCreate()) == '{"type":"response.create"}'
    update = SessionUpdate(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    assert json.loads(client_event_to_json(update))["session"]["audio"]["input"] == {"turn_detection": None}


def test_an_item_is_written_without_the_fields_that_it_has_not() -> None:
    body = client_event_to_object(ConversationItemCreate(item=ITEM))
    content = [{"type": "input_text", "text": "Hi"}]
    item = {"id": "item_1", "type": "message", "role": "user", "content": content}
    assert body == {"type": "conversation.item.create", "item": item}


def test_an_unknown_client_event_and_one_with_a_field_missing_are_told_apart() -> None:
    with pytest.raises(KeyError):
        client_event_from_object({"type": "no.such.event"})
    with pytest.raises(msgspec.ValidationError):
        client_event_from_object({"type": ConversationItemTruncate.type, "item_id": "item_1"})


def test_an_unknown_server_event_is_kept_whole() -> None:
    body = {"type": "response.telepathy.delta", "event_id": "event_1", "thought": "?"}
    assert server_event_from_object(body) == UnknownEvent(name="response.telepathy.delta", body=body)


def test_unknown_fields_are_passed_by_and_misshapen_ones_become_their_defaults() -> None:
    delta = {"type": "response.output_audio.delta", "delta": "AAAA", "obfuscation": "x", "output_index": None}
    assert server_event_from_object({**delta, "item_id": "item_1"}) == OutputAudioDelta(item_id="item_1", delta="AAAA")
    started = {"type": "input_audio_buffer.speech_started", "item_id": 7, "audio_start_ms": "soon"}
    assert server_event_from_object(started) == SpeechStarted()


def test_one_misshapen_field_deep_inside_does_not_cost_the_rest() -> None:
    usage = {"total_tokens": "many", "input_tokens": 12, "input_token_details": {"audio_tokens": [], "text_tokens": 3}}
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi", "detail": 3}]}
    response = {"id": "resp_1", "status": "completed", "usage": usage, "output": [item, "nonsense"]}
    event = server_event_from_object({"type": "response.done", "response": response})
    assert isinstance(event, ResponseDone)
    assert event.response.usage is not None
    assert event.response.usage.total_tokens is None
    assert event.response.usage.input_tokens == 12
    assert event.response.usage.input_token_details is not None
    assert event.response.usage.input_token_details.text_tokens == 3
    assert event.response.output is not None
    assert [item.words for item in event.response.output] == ["Hi"]


def test_an_error_that_is_a_plain_string_is_an_error_all_the_same() -> None:
    event = server_event_from_object({"type": "error", "error": "no model loaded", "code": "oops"})
    assert event == ErrorEvent(error=ErrorDetail(message="no model loaded", code="oops"))


def test_transcription_usage_may_be_tokens_or_seconds() -> None:
    name = "conversation.item.input_audio_transcription.completed"
    event = server_event_from_object({"type": name, "transcript": "hi", "usage": {"type": "duration", "seconds": 1.5}})
    assert isinstance(event, TranscriptionCompleted)
    assert event.usage is not None
    assert (event.usage.type, event.usage.seconds) == ("duration", 1.5)


@pytest.mark.parametrize(
    ("detail", "severity"),
    [
        (ErrorDetail(code="invalid_api_key"), Severity.FATAL),
        (ErrorDetail(code="model_not_found"), Severity.FATAL),
        (ErrorDetail(code="session_expired"), Severity.FATAL),
        (ErrorDetail(type="session_limit_reached"), Severity.FATAL),
        (ErrorDetail(code="unknown_parameter", param="session.type"), Severity.FATAL),
        (ErrorDetail(code="missing_required_parameter", param="session.type"), Severity.FATAL),
        (ErrorDetail(code="response_cancel_not_active"), Severity.BENIGN),
        (ErrorDetail(code="input_audio_buffer_commit_empty"), Severity.BENIGN),
        (ErrorDetail(message="Audio content of 900ms is already shorter than 1000ms"), Severity.BENIGN),
        (ErrorDetail(code="invalid_value", param="session.audio.output.voice"), Severity.NOTICE),
        (ErrorDetail(code="cannot_update_voice"), Severity.NOTICE),
        (ErrorDetail(code="insufficient_quota"), Severity.TURN),
        (ErrorDetail(code="invalid_value", param="item.content"), Severity.TURN),
        (ErrorDetail(type="server_error"), Severity.TURN),
        (ErrorDetail(code="never_seen_before"), Severity.TURN),
    ],
)
def test_an_error_is_as_bad_as_its_code_says(detail: ErrorDetail, severity: Severity) -> None:
    assert classify(detail) is severity


SENT, MISSING = Key("XAI_API_KEY", "sent"), Key("XAI_API_KEY", "missing")


def test_a_remedy_names_the_variable_that_the_key_came_from_or_belongs_into() -> None:
    assert remedy_for("invalid_api_key", key=SENT) == "check the API key in XAI_API_KEY"
    assert remedy_for("invalid_api_key", key=MISSING).startswith("no key was sent: set XAI_API_KEY")
    assert "wss://" in remedy_for("invalid_api_key", key=Key("XAI_API_KEY", "withheld"))
    assert "key_variable" in remedy_for("invalid_api_key")
    assert remedy_for("never_seen_before") == ""


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_any_key_does_not_blame_one(status: int) -> None:
    said = str(refused(status, ErrorDetail(), Target("wss://h", MISSING, "m")))
    assert said == (
        f"wss://h wants a key (HTTP {status}): no key was sent: set XAI_API_KEY in the environment or in .env"
    )


def test_a_403_without_a_model_asks_for_one_first() -> None:
    said = str(refused(403, ErrorDetail(), Target("wss://h", SENT)))
    assert "name a model with --model, if this server wants one; else check the API key in XAI_API_KEY" in said
    assert "--model" not in str(refused(403, ErrorDetail(), Target("wss://h", SENT, "m"))).replace("this model", "")


@pytest.mark.parametrize(
    "words",
    [
        "key not allowed to access model. This key can only access models=['a']",
        "Invalid model name passed in model=gpt-9. Call `/v1/models` to view available models",
        "litellm.BadRequestError: LLM Provider NOT provided. Pass in the LLM provider you are trying to call",
        "The model `gpt-9` does not exist or you do not have access to it.",
        "No such model: gpt-9",
        "model 'x' not found",
    ],
)
def test_words_about_a_model_lead_to_the_model_whatever_the_code(words: str) -> None:
    target = Target("wss://h", SENT, "gpt-9")
    detail = ErrorDetail(type="server_error", message=words)
    shown = [
        str(closed(1011, words, target)),
        str(closed(1008, words, target)),
        str(refused(401, ErrorDetail(message=words), target)),
        str(refused(500, ErrorDetail(message=words), target)),
        str(fatal_error(ErrorDetail(code="unauthorized", message=words), SENT)),
        str(fatal_error(detail, SENT)),
        trouble_of(detail).message,
    ]
    for line in shown:
        assert "name another model with --model" in line
        assert "try again" not in line


def test_a_failure_of_the_model_itself_is_tried_again() -> None:
    words = "The model produced invalid content. Consider trying again."
    assert remedy_for("server_error", words="The model was too slow.") == "try again"
    assert "try again" in str(closed(1011, "the model crashed", Target("wss://h", SENT, "m"))), words


@pytest.mark.parametrize(
    ("reason", "blames"),
    [("", True), ("denied", True), ("invalid token", True), ("Session limit reached", False), ("too old", False)],
)
def test_a_close_with_1008_blames_the_key_only_where_its_reason_does(reason: str, blames: bool) -> None:
    said = str(closed(1008, reason, Target("wss://h", SENT, "m")))
    assert ("check the API key" in said) == blames
    assert reason in said


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no"}, "no"),
        ({"detail": "no"}, "no"),
        ({"detail": [{"loc": ["query", "model"]}]}, ""),
        ({"message": "no"}, "no"),
        ({"error": {"message": 5}}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_what_the_body_of_a_refusal_says_is_found_in_every_usual_shape(body: Any, message: str) -> None:
    assert detail_in(body).message == message


def test_a_mismatch_of_dialects_says_which_one_to_use() -> None:
    beta = fatal_error(ErrorDetail(code="unknown_parameter", param="session.type", message="Unknown parameter."))
    assert str(beta) == "the server refuses: Unknown parameter: this server speaks the beta dialect: use --dialect beta"
    assert "--dialect ga" in remedy_for("missing_required_parameter", "session.type")


def test_what_a_server_says_about_a_wrong_key_is_not_repeated() -> None:
    message = "Incorrect API key provided: abc***xyz"
    assert "xyz" not in str(fatal_error(ErrorDetail(code="invalid_api_key", message=message)))
    assert "xyz" not in str(refused(401, ErrorDetail(message=message), Target("wss://h", SENT)))


def test_a_close_without_a_code_and_an_unknown_status_have_their_lines_too() -> None:
    assert str(closed(None, "", Target("ws://h"))) == "ws://h ended the connection without a reason: try again"
    assert str(refused(302, ErrorDetail(), Target("ws://h"))) == (
        "ws://h does not open a session (HTTP 302): check --base-url: is this a Realtime endpoint?"
    )


def test_keys_are_hidden_wherever_they_stand_and_words_are_not() -> None:
    text = "Incorrect API key provided: sk-proj-abc***********xyz. And ek_123456789, xai-abcdefgh; but task-oriented."
    assert redact(text) == "Incorrect API key provided: [hidden] And [hidden], [hidden]; but task-oriented."
    assert redact("my own key is hunter2", ["hunter2"]) == "my own key is [hidden]"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("uvx server --api-key hunter2 --port 80", "uvx server --api-key [hidden] --port 80"),
        ("env GITHUB_TOKEN=hunter2 npx server", "env GITHUB_TOKEN=[hidden] npx server"),
        ("server --password='hunter 2' x", "server --password=[hidden] x"),
        ('server --token "hunter2"', "server --token [hidden]"),
        ('server --header "Authorization: Bearer hunter2"', 'server --header "Authorization: Bearer [hidden]"'),
        ("npx remote https://me:hunter2@host/mcp", "npx remote https://[hidden]@host/mcp"),
        ("npx -y @scope/server notes.md", "npx -y @scope/server notes.md"),
    ],
)
def test_what_a_command_is_told_in_confidence_is_hidden(command: str, shown: str) -> None:
    assert redact_command(command) == shown


def test_a_wire_log_hides_the_fields_of_secrets_and_shortens_sound() -> None:
    secret: dict[str, Any] = {
        "client_secret": {"value": "s3cret", "expires_at": 1},
        "tools": [{"authorization": 'Bea"rer s3cret'}],
    }
    secret["tools"].append({"type": "mcp", "server_url": "https://me:s3cret@host/mcp?key=s3cret"})
    shown = loggable(json.dumps({"type": "session.created", "session": secret}))
    assert "s3cret" not in shown
    assert "session.created" in shown
    assert loggable(json.dumps({"delta": "A" * 400})) == '{"delta":"<400 characters>"}'
    assert "four words of text" in loggable(json.dumps({"delta": "four words of text"}))
