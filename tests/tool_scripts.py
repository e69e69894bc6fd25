"""Functions for a model to call, and scripts of servers whose model calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.running import ROOT
from tests.scripted_server import Script, ScriptedServer
from tests.scripted_talk import Talk

EXAMPLE = str(ROOT / "examples" / "folder_tools.py")


def write(folder: Path, text: str, name: str = "my_tools.py") -> str:
    """A file of functions."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


class Call(NamedTuple):
    """One call of the model's. ``arguments`` is made JSON, unless it is text."""

    name: str
    arguments: dict[str, Any] | str = {}  # noqa: RUF012 -- never changed


def make_calls(talk: Talk, *calls: Call) -> list[str]:
    """A response of nothing but function calls, event by event as the live service sends it; returns their ids."""
    response_id = talk.new_id("resp")
    talk.send({"type": "response.created", "response": response(response_id, "in_progress", [])})
    items = []
    for index, call in enumerate(calls):
        text = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
        place = {"response_id": response_id, "output_index": index}
        item = {
            "id": talk.new_id("item"),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "name": call.name,
            "call_id": talk.new_id("call"),
            "arguments": "",
        }
        talk.send({"type": "response.output_item.added", **place, "item": item})
        talk.send({"type": "conversation.item.added", "previous_item_id": None, "item": item})
        part = {**place, "item_id": item["id"], "call_id": item["call_id"]}
        talk.send({"type": "response.function_call_arguments.delta", **part, "delta": text})
        whole = {"type": "response.function_call_arguments.done", **part, "name": call.name, "arguments": text}
        talk.send(whole)
        item = {**item, "status": "completed", "arguments": text}
        talk.send({"type": "conversation.item.done", "previous_item_id": None, "item": item})
        talk.send({"type": "response.output_item.done", **place, "item": item})
        items.append(item)
    talk.send({"type": "response.done", "response": response(response_id, "completed", items)})
    return [item["call_id"] for item in items]


def response(response_id: str, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    """A response as its first and its last event carry it."""
    return {
        "id": response_id,
        "object": "realtime.response",
        "status": status,
        "status_details": None,
        "output": output,
        "conversation_id": "conv_1",
        "output_modalities": ["text"],
        "max_output_tokens": "inf",
        "metadata": None,
        "usage": None,
    }


def calling(*rounds: tuple[Call, ...] | Call, reply: str = "Done.") -> Script:
    """Each turn: every round of calls waits for its outputs and the one ``response.create`` behind them; then a reply.

    That nothing else is sent in between is checked.
    """

    def script(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.obey_until("response.create")
            for calls in rounds:
                waiting = set(make_calls(talk, *([calls] if isinstance(calls, Call) else calls)))
                while waiting:
                    item = talk.obey_next("conversation.item.create")["item"]
                    assert item["type"] == "function_call_output", item
                    waiting.remove(item["call_id"])
                talk.expect("response.create")
            talk.reply(reply)

    return script


def outputs(server: ScriptedServer) -> list[str]:
    """What the model was told that its calls came to."""
    items = [event["item"] for event in server.of_type("conversation.item.create")]
    return [item["output"] for item in items if item["type"] == "function_call_output"]
