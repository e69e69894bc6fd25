"""Calls that the user is asked about, and those that the model's side runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Notice, ToolAsked, ToolCalled, ToolFinished
from tests.calls_driver import call, item_done, outputs, result, run_ids, spoken, typed
from tests.conversation_driver import HELLO, Drive, done, said, user_turn
from tests.schema_check import check_client_event


def test_a_call_that_needs_consent_runs_only_after_a_yes() -> None:
    drive = typed(asks=True, can_ask=True).tell(item_done(call()), done())
    assert run_ids(drive) == []
    assert [asked.name for asked in drive.shown(ToolAsked)] == ["look"]
    assert drive.core.snapshot().question == drive.shown(ToolAsked)[0]
    drive.tell(f.Decided("yes"))
    assert run_ids(drive) == ["call_1"]
    assert drive.core.snapshot().question is None
    assert drive.tell(result()).sent_types.count("response.create") == 2


def test_a_no_is_told_to_the_model() -> None:
    drive = typed(asks=True, can_ask=True).tell(item_done(call()), done(), f.Decided("no"))
    assert run_ids(drive) == []
    assert "not allow" in json.loads(outputs(drive)["call_1"])["error"]
    assert drive.sent_types.count("response.create") == 2


def test_questions_come_one_by_one_and_always_answers_those_about_the_same_function() -> None:
    drive = typed("look", "write", asks=True, can_ask=True)
    calls = [call("c1"), call("c2", "write"), call("c3"), call("c4", "write")]
    drive.tell(*map(item_done, calls), done())
    assert [asked.call_id for asked in drive.shown(ToolAsked)] == ["c1"]
    drive.tell(f.Decided("always"))
    assert run_ids(drive) == ["c1", "c3"]
    drive.tell(f.Decided("no"), f.Decided("yes"), f.Decided("yes"))
    assert run_ids(drive) == ["c1", "c3", "c4"]
    assert [asked.call_id for asked in drive.shown(ToolAsked)] == ["c1", "c2", "c4"]
    assert list(outputs(drive)) == ["c2"]


@pytest.mark.parametrize(("words", "runs"), [("y", True), ("Yes", True), ("a", True), ("n", False)])
def test_the_answer_may_be_typed(words: str, runs: bool) -> None:
    drive = typed(asks=True, can_ask=True).tell(item_done(call()), done(), f.Typed(words, answers=True))
    assert bool(run_ids(drive)) == runs
    assert drive.sent_types.count("conversation.item.create") == (1 if runs else 2)
    unasked = typed(asks=True, can_ask=True).tell(item_done(call()), done(), f.Typed(words))
    assert (run_ids(unasked), outputs(unasked)) == ([], {})


def test_a_y_without_a_question_is_a_turn_like_any_other() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("y", answers=True), f.Decided("yes"))
    assert drive.sent_types.count("conversation.item.create") == 1


def test_where_nobody_can_be_asked_the_model_is_told_so() -> None:
    drive = typed(asks=True).tell(item_done(call()), done())
    assert run_ids(drive) == []
    assert "consent" in json.loads(outputs(drive)["call_1"])["error"]
    assert "--confirm-tools" in drive.shown(Notice)[0].text
    assert drive.sent_types.count("response.create") == 2


def test_an_open_question_does_not_run_out_of_time_and_keeps_the_conversation_open() -> None:
    drive = typed(asks=True, can_ask=True).tell(item_done(call()), done(), at=1.0)
    drive.tell(f.Tick(), at=1000.0)
    assert drive.exit_code is None
    assert outputs(drive) == {}


APPROVAL = {"id": "mcpr_1", "type": "mcp_approval_request", "server_label": "docs", "name": "search", "arguments": "{}"}


REMOTE = {"type": "mcp_call", "server_label": "docs", "name": "search", "arguments": "{}", "id": "mcp_1"}


def consents(drive: Drive) -> list[tuple[str, bool]]:
    items = [event["item"] for event in drive.sent if event["type"] == "conversation.item.create"]
    given = [item for item in items if item["type"] == "mcp_approval_response"]
    for item in given:
        check_client_event({"type": "conversation.item.create", "item": item})
    return [(item["approval_request_id"], item["approve"]) for item in given]


def test_the_model_sides_mcp_server_runs_a_tool_after_a_yes_and_one_reply_follows_its_result() -> None:
    drive = typed(can_ask=True).tell(item_done(APPROVAL), done(output=[APPROVAL]))
    assert (consents(drive), drive.shown(ToolAsked)[0].name) == ([], "search")
    drive.tell(f.Decided("yes"), at=1.0)
    assert consents(drive) == [("mcpr_1", True)]
    assert drive.sent_types.count("response.create") == 1
    finished = {**REMOTE, "approval_request_id": "mcpr_1", "output": "found"}
    drive.tell(said("conversation.item.done", item=finished), item_done(finished), at=3.0)
    (result,) = drive.shown(ToolFinished)
    assert (result.output, result.failed, result.duration_ms) == ("found", False, 2000)
    assert drive.sent_types.count("response.create") == 2


def test_a_no_to_the_model_sides_mcp_server_is_sent_and_spoken_about() -> None:
    drive = typed(can_ask=True).tell(item_done(APPROVAL), done(), f.Decided("no"))
    assert consents(drive) == [("mcpr_1", False)]
    assert run_ids(drive) == []
    assert drive.sent_types.count("response.create") == 2


def test_where_nobody_can_be_asked_the_model_sides_mcp_server_gets_a_no() -> None:
    assert consents(typed().tell(item_done(APPROVAL), done())) == [("mcpr_1", False)]


def test_a_tool_of_the_model_side_that_needs_no_consent_is_shown_and_spoken_about() -> None:
    failed = {**REMOTE, "error": {"type": "http_error", "code": 500, "message": "no luck"}}
    drive = typed().tell(item_done(failed), done())
    assert drive.shown(ToolCalled)[0].name == "search"
    assert json.loads(drive.shown(ToolFinished)[0].output) == {"error": "no luck"}
    assert drive.sent_types.count("response.create") == 2


def test_a_tool_of_the_model_side_that_never_comes_back_is_given_up() -> None:
    drive = typed(can_ask=True, tool_timeout_s=5.0).tell(item_done(APPROVAL), done(), f.Decided("yes"), at=1.0)
    drive.tell(f.Tick(), at=6.0)
    assert drive.shown(ToolFinished)[0].failed
    assert consents(drive) == [("mcpr_1", True)]
    assert drive.sent_types.count("response.create") == 2


def test_a_result_of_a_call_that_was_given_up_is_not_taken_for_one_of_a_later_call_with_the_same_id() -> None:
    drive = typed(tool_timeout_s=5.0).tell(item_done(call()), done(), at=1.0)
    drive.tell(f.Tick(), at=6.0)
    drive.tell(said("response.created", response={"id": "resp_2"}))
    drive.tell(item_done({**call(), "id": "item_other"}, "resp_2"), result(1, "late"), at=7.0)
    assert [told.output for told in drive.shown(ToolFinished) if not told.failed] == []
    drive.tell(result(2, "right"), at=8.0)
    assert [told.output for told in drive.shown(ToolFinished) if not told.failed] == ["right"]


def test_two_calls_that_run_with_the_same_id_are_both_answered() -> None:
    drive = spoken().tell(item_done(call()), done(), *user_turn("item_2"))
    drive.tell(said("response.created", response={"id": "resp_2"}), item_done({**call(), "id": "other"}, "resp_2"))
    drive.tell(result(2, "second"), result(1, "first"))
    assert [told.output for told in drive.shown(ToolFinished)] == ["second", "first"]


def test_a_tool_that_the_model_side_runs_without_waiting_for_consent_ends_the_question() -> None:
    other = {**APPROVAL, "id": "mcpr_2", "name": "fetch"}
    drive = typed(can_ask=True).tell(item_done(APPROVAL), item_done(other))
    drive.tell(item_done({**REMOTE, "approval_request_id": "mcpr_1", "output": "found"}), done())
    assert [asked.name for asked in drive.shown(ToolAsked)] == ["search", "fetch"]
    assert drive.core.snapshot().question == drive.shown(ToolAsked)[-1]
    drive.tell(f.Decided("no"))
    assert consents(drive) == [("mcpr_2", False)]


@pytest.mark.parametrize("answer", ["yes", "always"])
def test_a_yes_that_was_meant_for_a_question_which_went_away_is_not_taken_for_the_next(answer: Any) -> None:
    drive = typed("write", asks=True, can_ask=True).tell(item_done(APPROVAL), item_done(call("c1", "write")), at=1.0)
    drive.tell(item_done({**REMOTE, "approval_request_id": "mcpr_1", "output": "found"}), at=5.0)
    drive.tell(f.Decided(answer), at=5.2)
    assert run_ids(drive) == []
    assert [asked.name for asked in drive.shown(ToolAsked)] == ["search", "write", "write"]
    drive.tell(f.Decided(answer), at=6.5)
    assert run_ids(drive) == ["c1"]


def test_a_no_is_taken_for_whatever_is_asked() -> None:
    drive = typed("write", asks=True, can_ask=True).tell(item_done(APPROVAL), item_done(call("c1", "write")), at=1.0)
    drive.tell(item_done({**REMOTE, "approval_request_id": "mcpr_1", "output": "found"}), f.Decided("no"), at=5.0)
    assert list(outputs(drive)) == ["c1"]


def test_consents_have_ids_of_their_own() -> None:
    other = {**APPROVAL, "id": "mcpr_2"}
    drive = typed(can_ask=True).tell(item_done(APPROVAL), item_done(other), done())
    drive.tell(f.Decided("yes"), f.Decided("yes"))
    ids = [event["item"]["id"] for event in drive.sent if event["type"] == "conversation.item.create"][-2:]
    assert len(set(ids)) == 2


def test_always_holds_for_the_tool_of_one_server_only() -> None:
    again, elsewhere = {**APPROVAL, "id": "mcpr_2"}, {**APPROVAL, "id": "mcpr_3", "server_label": "mail"}
    drive = typed(can_ask=True).tell(item_done(APPROVAL), item_done(elsewhere), f.Decided("always"), item_done(again))
    assert consents(drive) == [("mcpr_1", True), ("mcpr_2", True)]
    asked = drive.core.snapshot().question
    assert asked is not None
    assert (asked.server, asked.name, asked.arguments) == ("mail", "search", "{}")
    assert [told.server for told in drive.shown(ToolCalled)] == ["docs", "mail", "docs"]


@pytest.mark.parametrize("ours_first", [True, False])
def test_always_for_a_tool_of_the_model_side_is_not_for_one_of_ours_with_its_name(ours_first: bool) -> None:
    theirs = {**APPROVAL, "server_label": "", "name": "look"}
    items = [call("c1"), theirs] if ours_first else [theirs, call("c1")]
    drive = typed(asks=True, can_ask=True).tell(item_done(items[0]), f.Decided("always"), item_done(items[1]))
    assert (run_ids(drive), consents(drive)) == ((["c1"], []) if ours_first else ([], [("mcpr_1", True)]))
    assert len(drive.shown(ToolAsked)) == 2


def test_a_question_holds_all_arguments() -> None:
    long = json.dumps({"note": "harmless " * 500, "command": "rm -rf ~"})
    drive = typed(asks=True, can_ask=True).tell(item_done({**call(), "arguments": long}))
    assert drive.shown(ToolAsked)[0].arguments == long


def test_an_mcp_server_whose_tools_cannot_be_listed_is_named() -> None:
    listing = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "docs"}
    drive = typed().tell(said("conversation.item.added", item=listing))
    drive.tell(said("mcp_list_tools.failed", item_id="mcpl_1"))
    assert "docs" in drive.shown(Notice)[0].text
    assert drive.tell(said("mcp_list_tools.failed", item_id="x")).exit_code is None
