"""``realtime-cli transcribe``: speech as text, from a microphone or a file, live."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_cli.audio.core.pcm import RECORDED_BLOCK_BYTES, RECORDED_BLOCK_MS, later_part
from realtime_cli.audio.drivers.choose import open_source
from realtime_cli.audio.drivers.recordings import Recording
from realtime_cli.cli.commands import FORMATS
from realtime_cli.cli.conversation_options import mic_end_grace_s, session_options
from realtime_cli.cli.saving import saving
from realtime_cli.cli.standard_input import as_files
from realtime_cli.cli.which_server import Server, find_server, way_to
from realtime_cli.cli.wiring import on_failure, with_progress
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Snapshot
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.transcription import Transcription
from realtime_cli.errors import InputError
from realtime_cli.ports import View
from realtime_cli.protocol.session_body import MODELS_WITHOUT_VAD, transcription_session
from realtime_cli.providers.prices import prices_of
from realtime_cli.providers.profiles import LOCAL
from realtime_cli.session.drivers import Drivers, nothing
from realtime_cli.session.session import Session
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.view.jsonl import JsonView
from realtime_cli.view.subtitles import Format, writer
from realtime_cli.view.transcription import FileTranscript, TranscriptView

if TYPE_CHECKING:
    from realtime_cli.view.progress import Status

SETTLE_S = 1.0
"""How long after the end of a recording speech may still be found in it by a server that answers out of order."""


def run(settings: Settings, environment: Environment, *, file: Path | None, form: str, output: Path | None) -> int:
    """Write down what is said, to the end. Blocks. Raises InputError for files and options that cannot be used."""
    chosen = _format(settings, form, output)
    with as_files([file] if file else []) as named:
        recording = _recording(settings, named[0] if named else None, output)
        options, server, silence_s = _options(settings, environment, recording)
        view = _view(settings, environment, chosen, output, recording)
        return Session(_drivers(settings, environment, server, options, view, silence_s)).run()


def _drivers(
    settings: Settings,
    environment: Environment,
    server: Server,
    options: TranscriptionOptions,
    view: View,
    silence_s: float,
) -> Drivers:
    """``silence_s``: how much of it follows a recording."""
    listens = options.recording is None
    kept = saving(
        settings,
        environment,
        command="transcribe",
        provider=server.provider.name,
        model=settings.transcription_model or "",
        by_clock=listens,
    )
    return Drivers(
        core=Transcription(options),
        view=view,
        make_transport=way_to(server, settings, speech=True, kind="transcription", wire_log=kept.wire_log),
        make_encoder=server.encoder,
        make_source=partial(open_source, settings.mic) if listens else nothing,
        open_recording=partial(_open_recording, silence_s),
        make_journal=kept.make_journal,
        make_recorder=kept.make_recorder,
        wire_log=kept.wire_log,
        first_facts=tuple(f.Noted(text) for text in (*server.notices, *kept.notices)),
        on_failure=on_failure(settings, environment),
    )


def _format(settings: Settings, form: str, output: Path | None) -> Format:
    """The format: the one named, else that of the file's ending, else plain text."""
    ending = output.suffix[1:].lower() if output else ""
    wanted = form or (ending if ending in FORMATS else "txt")
    chosen = next((each for each in FORMATS if each == wanted), None)
    if chosen is None:
        raise InputError(f"--format: {wanted!r} is none", f"choose one of {', '.join(FORMATS)}")
    if settings.json and form and output is None:
        raise InputError("--json and --format both need standard output", "name a file with --output")
    return chosen


def _recording(settings: Settings, file: Path | None, output: Path | None) -> Recording | None:
    """The recording, checked. Blocks for the disk."""
    if file is None:
        return None
    if settings.mic is not None:
        raise InputError("a FILE and --mic exclude each other", "give one of them")

    if output is not None and output.exists() and file.exists() and output.samefile(file):
        raise InputError(f"{output} would be overwritten", "name another file with --output")
    recording = Recording(file)
    recording.check_for_speech()
    return recording


def _options(
    settings: Settings, environment: Environment, recording: Recording | None
) -> tuple[TranscriptionOptions, Server, float]:
    server = find_server(settings, environment, "transcription")
    if not server.provider.transcribes:
        raise InputError(f"{server.provider.title} has no transcription sessions", "use --local, or another server")
    wanted = session_options(settings, server.provider, "voice", spoken=False)
    server.notices.extend(server.fetched())
    server_cuts = wanted.vad != "off" and wanted.transcription_model not in MODELS_WITHOUT_VAD
    grace_s = mic_end_grace_s(wanted)
    sessions = server.sessions(settings, wanted, transcription_session)
    left_out = server.left_out(settings, wanted, transcription_session)
    server.notices.extend([*left_out.get(server.dialect, ()), *server.passed_by(wanted)])
    options = TranscriptionOptions(
        provider=server.provider.name,
        key=server.key,
        model=wanted.transcription_model or "",
        prices=None if server.provider is LOCAL else prices_of(environment.file),
        session=sessions.pop(server.dialect),
        session_otherwise=sessions,
        left_out=left_out,
        server_cuts=server_cuts,
        recording=None if recording is None else str(recording.path),
        settle_s=grace_s if recording is None else SETTLE_S,
        answer_timeout_s=settings.answer_timeout,
        reconnect_s=server.reconnect_s(settings),
        seed=secrets.randbits(31),
    )
    return options, server, grace_s if server_cuts else 0.0


def _open_recording(silence_s: float, name: str, from_ms: int) -> Iterator[bytes]:
    """The recording of this path from so far into it, and a silence in which a server that listens hears its end."""
    silence = (bytes(RECORDED_BLOCK_BYTES) for _ in range(round(silence_s * 1000 / RECORDED_BLOCK_MS)))
    return later_part(chain(Recording(Path(name)).blocks(RECORDED_BLOCK_BYTES), silence), from_ms)


def _view(
    settings: Settings, environment: Environment, form: Format, output: Path | None, recording: Recording | None
) -> View:
    view: View
    if settings.json:
        view = JsonView(sys.stdout.buffer)
    else:
        view = TranscriptView(sys.stdout, sys.stderr, writer("txt" if output else form), quiet=settings.quiet)
    if output is not None:
        view = FileTranscript(view, output, writer(form))

    return with_progress(view, settings, environment, _status(recording))


def _status(recording: Recording | None) -> Status:
    """What the line at the bottom says: what is being said, or how far a recording is written down."""
    length_ms = recording.duration_ms if recording else None

    def status(now: Snapshot, width: int) -> str:
        from realtime_cli.view.progress import bar, being_said  # wcwidth: for terminals only

        if length_ms is None:
            return being_said(now, width)
        return bar("transcribing", now.position_ms, length_ms, width)

    return status
