"""What is kept of a conversation: its text, and its sound where the user wants that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from realtime_cli import __version__
from realtime_cli.errors import InputError
from realtime_cli.journal.entries import Header
from realtime_cli.journal.folder import RECORDING, Folder
from realtime_cli.journal.writer import Journal, WireLog
from realtime_cli.ports import Note, Recorder
from realtime_cli.session.drivers import nothing
from realtime_cli.settings.folders import data_folder
from realtime_cli.settings.settings import Environment, Settings


class Saving(msgspec.Struct, frozen=True):
    """What the session makes its journal and its recorder with, and what the user is told beforehand."""

    make_journal: Callable[[Note], Journal | None]
    make_recorder: Callable[[Note], Recorder | None]
    notices: tuple[str, ...] = ()
    wire_log: WireLog | None = None
    saved_as: str = "this conversation is not saved"
    """For a user who asks."""
    id: str = ""
    """By which it can be found again, once something was said; empty where it is not saved."""


def saving(
    settings: Settings,
    environment: Environment,
    *,
    command: str,
    provider: str,
    model: str,
    by_clock: bool,
    resumed_from: str | None = None,
) -> Saving:
    """How the settings want this conversation kept.

    ``by_clock`` is False where turns are sent and replies written as fast as they come. Raises InputError for a
    recording without a conversation that it belongs to.
    """
    if not settings.save:
        if settings.record:
            raise InputError("--record saves the sound of a conversation that --no-save does not keep", "leave out one")
        return Saving(nothing, nothing)
    folder = Folder(data_folder(environment))
    first = () if folder.path.exists() else (f"conversations are saved in {folder.path}; --no-save keeps none",)
    at = datetime.now().astimezone()
    try:
        name, path = folder.new(at)
    except OSError as error:
        problem = f"the conversation is not being saved: {error.filename}: {error.strerror or error}"
        return Saving(nothing, nothing, (problem,))
    instructions = settings.instructions or ""
    header = Header(
        id=name,
        at=at,
        command=command,
        version=__version__,
        provider=provider,
        model=model,
        voice=settings.voice or "",
        language=settings.language or "",
        instructions=instructions if settings.save_instructions and instructions else None,
        instructions_sha256=hashlib.sha256(instructions.encode()).hexdigest() if instructions else None,
        resumed_from=resumed_from,
        recording=path.with_suffix(RECORDING).name if settings.record else None,
    )
    return Saving(
        lambda note: Journal(path, header, note, at_once=settings.record),
        partial(_recorder, path.with_suffix(RECORDING), by_clock) if settings.record else nothing,
        first,
        WireLog(path.with_suffix(".wire")) if settings.record else None,
        f"it is saved as {name}, in {path}; see realtime-cli sessions show {name}",
        name,
    )


def _recorder(path: Path, by_clock: bool, note: Note) -> Recorder:
    from realtime_cli.journal.recording import Recorder as WavRecorder  # numpy: only for sound that is kept

    return WavRecorder(path, note, by_clock=by_clock)
