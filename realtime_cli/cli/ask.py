"""``realtime-cli ask``: spoken turns from files."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from realtime_cli.audio.core.pcm import RECORDED_BLOCK_BYTES, bytes_to_ms, later_part
from realtime_cli.audio.drivers.recordings import Recording
from realtime_cli.cli.standard_input import as_files
from realtime_cli.cli.wiring import hold_conversation, speaking
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Snapshot
from realtime_cli.errors import InputError
from realtime_cli.protocol.client_events import MAX_EVENT_BYTES
from realtime_cli.protocol.items import Content
from realtime_cli.settings.settings import Environment, Settings

ITEM_MS = bytes_to_ms((MAX_EVENT_BYTES - 4096) * 3 // 4)
"""What fits into one event in base64, about four minutes."""


def run(settings: Settings, environment: Environment, *, files: list[Path], as_item: bool) -> int:
    """Ask, and print or speak the replies. Blocks. Raises InputError for recordings that cannot be sent."""
    with as_files(files) as named:
        return _ask(settings, environment, named, as_item=as_item)


def _ask(settings: Settings, environment: Environment, files: list[Path], *, as_item: bool) -> int:
    recordings = [Recording(file) for file in files]
    for recording in recordings:
        recording.check_for_speech()
        if as_item:
            _check_length(recording)
    sending = Sending()
    turns = [_item(recording) if as_item else f.Spoken(str(recording.path)) for recording in recordings]
    user = replace(
        speaking(settings, source=_overwritten(files, settings.speaker)),
        open_recording=sending.open_recording,
        facts=(*turns, f.InputsEnded()),
        status=sending.status,
    )
    return hold_conversation(settings, environment, "recorded", user)


class Sending:
    """How far the recording in hand has been sent. Told on the feeder's thread, asked on the view's."""

    def __init__(self) -> None:
        self._label = ""
        self._sent_ms = self._length_ms = 0

    def open_recording(self, name: str, from_ms: int) -> Iterator[bytes]:
        """The recording of this path, block by block, from so far into it. Blocks for the disk."""
        recording = Recording(Path(name))
        self._label, self._sent_ms = f"sending {recording.path.name}", from_ms
        self._length_ms = recording.duration_ms or 0
        for block in later_part(recording.blocks(RECORDED_BLOCK_BYTES), from_ms):
            yield block
            self._sent_ms += bytes_to_ms(len(block))
        self._length_ms = 0

    def status(self, _now: Snapshot, width: int) -> str:
        """A bar while something is being sent."""
        from realtime_cli.view.progress import bar  # wcwidth: for terminals only

        return bar(self._label, self._sent_ms, self._length_ms, width) if self._length_ms else ""


def _overwritten(files: list[Path], speaker: str | None) -> Path:
    """The recording that a reply would be written over, if there is one."""
    target = Path(speaker or "")
    return next((file for file in files if target.exists() and target.samefile(file)), files[0])


def _check_length(recording: Recording) -> None:
    length_ms = recording.duration_ms
    if length_ms is not None and length_ms > ITEM_MS:
        raise InputError(
            f"{recording.path} lasts {length_ms // 1000} s, and an event of at most {MAX_EVENT_BYTES >> 20} MB holds "
            f"{ITEM_MS // 1000} s",
            "leave out --as-item",
        )


def _item(recording: Recording) -> f.Typed:
    """The recording as a turn in one piece. Blocks for the disk."""
    audio = base64.b64encode(b"".join(recording.blocks(RECORDED_BLOCK_BYTES))).decode("ascii")
    return f.Typed("", parts=(Content(type="input_audio", audio=audio),))
