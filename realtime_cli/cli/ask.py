"""``realtime-cli ask``: one spoken turn from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from realtime_cli.cli.options import command
from realtime_cli.cli.say import LISTENING
from realtime_cli.config import AUDIO, SERVER, SESSION, VIEW, Environment, Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, SERVER, SESSION, AUDIO, VIEW, without=(*LISTENING, "max_turns"))
    def ask(
        settings: Settings,
        environment: Environment,
        file: Annotated[Path, typer.Argument(help="A recording, in any format that libsndfile reads", metavar="FILE")],
    ) -> int:
        """Ask one spoken question from a file; the reply goes to stdout, and is spoken with --speaker."""
        from realtime_cli.audio.recording import Recording  # --help must not load it
        from realtime_cli.cli.wiring import hold, speaking
        from realtime_cli.conversation import facts as f

        recording = Recording(file)
        recording.check_for_speech()
        facts = (f.Spoken(recording.blocks()), f.InputsEnded())
        return hold(settings, environment, "recorded", facts=facts, **speaking(settings, source=file))
