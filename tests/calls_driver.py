"""Drives a conversation in which the model calls functions."""

from __future__ import annotations

from typing import Any

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import ToolCalled
from realtime_cli.conversation.tool_definitions import ToolDefinition, ToolOutcome
from tests.conversation_driver import HELLO, Drive, said, user_turn
from tests.schema_check import check_client_event

ANYTHING = {"type": "object", "properties": {}}


def tools(*names: str, asks: bool = False) -> f.ToolsReady:
    return f.ToolsReady(tuple(ToolDefinition(name=name, parameters=ANYTHING, asks=asks) for name in names))


def typed(*names: str, asks: bool = False, **options: Any) -> Drive:
    """A typed turn whose response has begun."""
    options = {"listens": False, "server_decides_turns": False, "offers_tools": True, **options}
    drive = Drive(**options).tell(HELLO, tools(*(names or ("look",)), asks=asks), f.Typed("hi"), f.InputsEnded())
    return drive.tell(said("response.created", response={"id": "resp_1"}))


def spoken(**options: Any) -> Drive:
    """A voice conversation whose first response has begun."""
    drive = Drive(offers_tools=True, **options).tell(HELLO, tools("look"), *user_turn())
    return drive.tell(said("response.created", response={"id": "resp_1"}))


def call(call_id: str = "call_1", name: str = "look", status: str | None = "completed") -> dict[str, Any]:
    return {
        "id": f"item_{call_id}",
        "type": "function_call",
        "call_id": call_id,
        "name": name,
        "arguments": "{}",
        "status": status,
    }


def item_done(item: dict[str, Any], response: str = "resp_1") -> Any:
    return said("response.output_item.done", response_id=response, item=item)


def result(run: int = 1, output: str = "fine", failed: bool = False) -> f.ToolReturned:
    return f.ToolReturned(f"run_{run:06d}", ToolOutcome(output, failed))


def run_ids(drive: Drive) -> list[str]:
    """The ids of the calls that run: each is told of before it is run."""
    called = {f"run_{number:06d}": told.call_id for number, told in enumerate(drive.shown(ToolCalled), 1)}
    return [called[effect.run_id] for effect in drive.effects if isinstance(effect, e.RunTool)]


def outputs(drive: Drive) -> dict[str, str]:
    items = [event["item"] for event in drive.sent if event["type"] == "conversation.item.create"]
    calls = [item for item in items if item["type"] == "function_call_output"]
    assert len(calls) == len({item["call_id"] for item in calls}), "a call was answered twice"
    for item in calls:
        check_client_event({"type": "conversation.item.create", "item": item})
    return {item["call_id"]: item["output"] for item in calls}
