"""What a language model reads of the conversation: messages in order, calls with their outputs, and how much it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from realtime_cli.protocol.items import InputTokens
from realtime_cli.server.core.entries import Entry
from realtime_cli.server.engines.interface import FunctionCall, Message

INPUT_TOKENS_PER_S = 10
"""What the remote service counts for a second of the user's audio."""

CHARS_PER_TOKEN = 4
"""The usual rule of thumb for English text."""


def messages(instructions: str, entries: Iterable[Entry]) -> tuple[Message, ...]:
    """What a model reads: the instructions, then what the items say. Shortening it further is the model's affair.

    Chat completions want each call's output right behind the message that made the call, and no call without one.
    """
    read = tuple(entries)
    others = [entry.item for entry in read if entry.item.type != "message"]
    outputs = {item.call_id: item.output or "" for item in others if item.type == "function_call_output"}
    called = {item.call_id for item in others if item.type == "function_call"}
    found = [Message("system", instructions)] if instructions else []
    answers: list[Message] = []
    for entry in read:
        item = entry.item
        if item.type == "function_call":
            call_id = item.call_id or ""
            if call_id in outputs:
                _add_call(found, FunctionCall(call_id, item.name or "", item.arguments or ""), bool(answers))
                answers.append(Message("tool", outputs.pop(call_id), call_id=call_id))
            continue
        if item.type == "function_call_output":
            if item.call_id not in called:
                found += [*answers, Message("system", f"A function returned: {item.output}")]
                answers = []
            continue
        message = entry.message
        if message.text or message.images:
            found += [*answers, message]
            answers = []
    return (*found, *answers)


def tokens(instructions: str, entries: Sequence[Entry]) -> InputTokens:
    """What reading these costs: the user's speech by its length, all else by its letters."""
    letters = len(instructions) + sum(entry.read_chars for entry in entries if not entry.speech_ms)
    speech_ms = sum(entry.speech_ms for entry in entries)
    return InputTokens(
        text_tokens=-(-letters // CHARS_PER_TOKEN),
        audio_tokens=speech_ms * INPUT_TOKENS_PER_S // 1000,
        cached_tokens=0,
    )


def _add_call(found: list[Message], call: FunctionCall, follows_call: bool) -> None:
    """Calls belong to the assistant's message before them, or make one of their own."""
    last = found[-1] if found else None
    if last is not None and last.role == "assistant" and (follows_call or not last.calls):
        found[-1] = replace(last, calls=(*last.calls, call))
    else:
        found.append(Message("assistant", calls=(call,)))
