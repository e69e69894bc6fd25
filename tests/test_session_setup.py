"""The session update: refused, with and without the id of the event; what is left out then, and what never is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Notice, Trouble
from realtime_cli.conversation.responses import REFUSED_SESSION_GRACE_S
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.session_body import session_update
from realtime_cli.protocol.session_options import SessionOptions
from tests import scripts
from tests.conversation_driver import HELLO, Drive, done, reply, said
from tests.running import run
from tests.scripted_server import ScriptedServer, session_sent
from tests.scripted_talk import Talk
from tests.test_servers import spoken

WISHES = SessionOptions(
    instructions="Be brief.", voice="marin", transcription_model="whisper-1", vad="off", noise_reduction="off"
)
OWN = frozenset({"transcription"})


def drive(**options: Any) -> Drive:
    wanted = {"session": session_update(WISHES, Dialect.GA), "own_settings": OWN, "listens": False, **options}
    return Drive(**wanted).tell(HELLO)


def refusal(message: str = "No.", **fields: Any) -> Any:
    return said("error", error={"type": "invalid_request_error", "message": message, **fields})


def updates(driven: Drive) -> list[dict[str, Any]]:
    return [event["session"] for event in driven.sent if event["type"] == "session.update"]


@pytest.mark.parametrize("event_id", [None, "evt_000001"])
def test_a_refused_update_is_sent_again_without_what_nobody_asked_for(event_id: str | None) -> None:
    page = "2 validation errors for PartialSession:\nturn_detection\n  Input should be a valid dictionary"
    driven = drive().tell(refusal(page, event_id=event_id))
    assert updates(driven)[1:] == [
        {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "Be brief.",
            "audio": {"output": {"voice": "marin"}},
        }
    ]
    (notice,) = driven.shown(Notice)
    assert notice.text == (
        "the server refuses some options (2 validation errors for PartialSession): "
        "going on without format, noise_reduction, transcription, turn_detection"
    )
    assert driven.exit_code is None
    driven.tell(refusal(page, event_id="evt_000002" if event_id else None))
    assert driven.exit_code == 2
    assert driven.shown(Trouble)[0].message.count("\n") == 0


def test_only_what_the_server_names_is_left_out_unless_the_user_asked_for_it() -> None:
    driven = drive().tell(refusal(param="session.audio.input.transcription.model", code="invalid_value"))
    assert "transcription" not in updates(driven)[1]["audio"]["input"]
    assert updates(driven)[1]["audio"]["input"]["turn_detection"] is None
    driven = drive().tell(refusal("Invalid voice.", param="session.audio.output.voice", code="invalid_value"))
    assert driven.exit_code == 2
    assert driven.shown(Trouble)[0].message == "the server refuses an option: Invalid voice.: change it or leave it out"


def test_what_the_user_asked_for_is_never_left_out() -> None:
    driven = drive(own_settings=frozenset()).tell(refusal(param="session.audio.input.transcription.model"))
    assert driven.exit_code == 2


def test_an_error_after_the_update_was_answered_is_not_about_it() -> None:
    driven = drive().tell(said("session.updated", session={}), refusal(param="session.speed"))
    assert len(updates(driven)) == 1
    assert driven.exit_code is None
    driven = drive().tell(f.Typed("hi"), *reply()[:1], refusal())
    assert len(updates(driven)) == 1


def test_a_used_up_quota_is_not_taken_for_a_refused_update() -> None:
    driven = drive().tell(f.Typed("hi"), refusal(code="insufficient_quota"))
    assert len(updates(driven)) == 1


def test_a_turn_goes_on_after_the_update_was_refused() -> None:
    driven = drive().tell(f.Typed("hi"), f.InputsEnded(), refusal(), *reply(), done())
    assert len(updates(driven)) == 2
    driven.tell(f.Heard("item_a", 0, 2000, finished=True))
    driven.tell(f.Tick(), at=10.0)
    assert driven.exit_code == 0


def test_a_request_that_was_meant_after_all_fails_its_turn_within_seconds() -> None:
    driven = drive().tell(f.Typed("hi"), f.InputsEnded(), refusal("I am a teapot."))
    driven.tell(f.Tick(), at=REFUSED_SESSION_GRACE_S)
    assert [trouble.message for trouble in driven.shown(Trouble)] == ["the server gave no answer"]
    assert driven.exit_code == 1


@pytest.mark.parametrize(("spoken_to", "others"), [(Dialect.BETA, {}), (Dialect.XAI, {})])
def test_a_server_that_was_said_to_speak_another_dialect_is_not_blamed_for_an_option(
    spoken_to: Dialect, others: dict[Dialect, Any]
) -> None:
    driven = drive(session=session_update(WISHES, spoken_to), session_otherwise=others)
    driven.tell(refusal("Unknown parameter.", param="session.voice", code="unknown_parameter"))
    assert f"it speaks the ga dialect: leave out --dialect {spoken_to.value}" in driven.shown(Trouble)[0].message


def test_a_server_that_takes_no_nulls_gets_none(tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", 400)
    with ScriptedServer(scripts.text_turns("Ten."), beta=True) as server:
        where = ("--provider", "speaches", "--model", "qwen", "--base-url", server.url)
        done = [run("say", "hello", "-i", "Be brief.", *where), run("ask", str(question), *where)]
    assert [(each.returncode, each.stdout, each.stderr) for each in done] == [(0, "Ten.\n", "")] * 2
    for number in (0, 1):
        assert None not in session_sent(server, number).values()


def test_a_server_that_refuses_nulls_is_talked_with_all_the_same_and_the_doctor_agrees() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.expect("session.update")
        talk.error(None, "2 validation errors for Session:\n  turn_detection\n    page of text")
        talk.obey_until("response.create")
        talk.reply("Hello.")
        talk.obey_until_closed()

    with ScriptedServer(script) as server:
        done = run("say", "hello", "--base-url", server.url)
        checked = run("doctor", "--mic", "none", "--speaker", "none", "--base-url", server.url, "--text-only")
    assert (done.returncode, done.stdout) == (0, "Hello.\n")
    assert done.stderr.count("\n") == 1
    assert "going on without" in done.stderr
    assert "page of text" not in done.stderr
    assert checked.returncode == 0, checked.stdout


def test_vllms_transcription_protocol_is_named_in_one_line() -> None:
    script = scripts.sends('{"type":"session.created","id":"sess-1","created":1800000000}')
    question = Path(__file__).parent.parent / "examples" / "question.wav"
    with ScriptedServer(script) as server:
        for arguments in (("say", "hi"), ("transcribe", str(question))):
            done = run(*arguments, "--base-url", server.url)
            assert (done.returncode, done.stderr.count("\n")) == (4, 1)
            assert "vLLM's own protocol" in done.stderr


def test_the_effects_of_a_refusal_are_a_notice_and_an_update_and_nothing_else() -> None:
    driven = drive()
    before = len(driven.effects)
    driven.tell(refusal())
    assert [type(effect) for effect in driven.effects[before:]] == [e.Show, e.Send]
