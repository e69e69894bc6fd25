"""``realtime-cli say``: turns that are typed."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from realtime_cli.cli.inputs import interactive_inputs
from realtime_cli.cli.standard_input import read_standard_input
from realtime_cli.cli.wiring import hold_conversation, speaking
from realtime_cli.conversation import facts as f
from realtime_cli.errors import InputError
from realtime_cli.images import image_part
from realtime_cli.settings.settings import Environment, Settings


def run(
    settings: Settings,
    environment: Environment,
    *,
    text: str | None,
    interactive: bool,
    resume: str | None,
    image: list[Path] | None,
) -> int:
    """Say it and print the reply. Blocks. Raises InputError for what cannot be said."""
    if text is None and not (interactive or image or settings.greet or settings.greeting):
        raise InputError("there is nothing to say", 'give a text: realtime-cli say "Hello", or - for stdin')
    turns: list[f.Fact] = []
    words = ""
    if text is not None:
        words = read_standard_input("the text") if text == "-" else text
        if not words.strip():
            raise InputError("the text is empty", 'give a text: realtime-cli say "Hello"')
        words = words.strip()
    parts = tuple(map(image_part, image or ()))
    if words or parts:
        turns.append(f.Typed(words, parts))
    user = speaking(settings)
    if interactive:
        typed = interactive_inputs(settings, environment)
        facts = (*map(f.Noted, typed.hints), *turns)
        user = replace(user, inputs=typed.inputs, controls=typed.controls, facts=facts, interactive=True)
    else:
        user = replace(user, facts=(*turns, f.InputsEnded()))
    return hold_conversation(settings, environment, "typed", user, resume=resume)
