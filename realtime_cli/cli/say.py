"""``realtime-cli say``: turns that are typed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realtime_cli.cli.options import command
from realtime_cli.errors import InputError
from realtime_cli.settings.settings import AUDIO, SERVER, SESSION, TOOLS, VIEW, Environment, Settings

if TYPE_CHECKING:
    from realtime_cli.protocol.items import Content

LISTENING = ("mic", "ptt", "vad", "vad_threshold", "silence_ms", "prefix_padding_ms", "eagerness", "noise_reduction")
"""Options about a microphone, which a typed turn has no use for."""

UNHEARD = ("language", "transcription_model", "keywords", "auto_response")
"""Options about the user's speech."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, SERVER, SESSION, TOOLS, AUDIO, VIEW, without=(*LISTENING, "max_turns", *UNHEARD))
    def say(
        settings: Settings,
        environment: Environment,
        text: Annotated[str | None, typer.Argument(help="What to say; - reads it from stdin", metavar="TEXT")] = None,
        interactive: Annotated[
            bool, typer.Option("--interactive", "-I", help="Several turns: one a line of stdin", show_default=False)
        ] = False,
        image: Annotated[
            list[Path] | None, typer.Option("--image", help="Show it a PNG or JPEG; repeatable", metavar="FILE")
        ] = None,
    ) -> int:
        """Say one thing in writing; the reply streams to stdout as it comes."""

        from realtime_cli.cli.wiring import hold, read_standard_input, speaking
        from realtime_cli.conversation import facts as f

        if text is None and not (interactive or image or settings.greet or settings.greeting):
            raise InputError("there is nothing to say", 'give a text: realtime-cli say "Hello", or - for stdin')
        turns: list[f.Fact] = []
        words = ""
        if text is not None:
            words = read_standard_input("the text") if text == "-" else text
            if not words.strip():
                raise InputError("the text is empty", 'give a text: realtime-cli say "Hello"')
            words = words.strip()
        parts = _images(image or [])
        if words or parts:
            turns.append(f.Typed(words, parts))
        hold_turns = partial(hold, settings, environment, "typed", **speaking(settings))
        if interactive:
            from realtime_cli.cli.inputs import interactive_inputs

            typed = interactive_inputs(settings, environment)
            hints = tuple(map(f.Noted, typed.hints))
            return hold_turns(inputs=typed.inputs, controls=typed.controls, facts=(*hints, *turns), interactive=True)
        return hold_turns(facts=(*turns, f.InputsEnded()))


def _images(paths: list[Path]) -> tuple[Content, ...]:
    """The images of a turn. Blocks for the disk. Raises InputError."""
    if not paths:
        return ()
    from realtime_cli.images import image_part  # most turns are words alone

    return tuple(map(image_part, paths))
