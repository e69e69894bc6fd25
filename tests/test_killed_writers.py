"""The journal and the recorder, killed at fifty moments each: what was whole is there, and every file can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("the children are forked", allow_module_level=True)

from realtime_cli.audio.core.pcm import BLOCK_FRAMES
from realtime_cli.journal.entries import NotAConversation, read
from tests.killed_writers import FRAME_BYTES, HEADER_BYTES
from tests.running import ROOT
from tests.waiting import PATIENCE_S

MOMENTS = 50


def killed(kind: str, folder: Path) -> list[tuple[Path, int]]:
    """The file of each child, and what it had told to be whole."""
    command = [sys.executable, "-m", "tests.killed_writers", kind, str(folder), str(MOMENTS)]
    # Python 3.12 warns of a fork beside other threads, which numpy's arithmetic would start.
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == MOMENTS
    return [(Path(each["path"]), each["told"]) for each in found]


def test_a_journal_that_is_killed_keeps_every_line_that_was_whole_and_reads_without_the_torn_one(
    tmp_path: Path,
) -> None:
    torn = 0
    for path, told in killed("journal", tmp_path):
        if not path.exists() or b"\n" not in path.read_bytes():
            # Killed before the header was written: nothing had been told.
            assert told == 0
            continue
        conversation = read(path)
        # At most the line that was being written, and the one that was whole but not told yet.
        assert told <= len(conversation.entries) <= told + 1
        kept = [(entry.item_id, entry.text) for entry in conversation.entries]
        assert kept == [(str(at), "word " * (at % 50)) for at in range(len(kept))]
        torn += not path.read_bytes().endswith(b"\n")
    assert torn, "no kill came in the middle of a line"


def test_a_file_without_a_whole_header_is_no_conversation(tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b'{"type":"conversation","id":"x"')
    with pytest.raises(NotAConversation):
        read(path)


def test_a_recording_that_is_killed_plays_and_holds_all_that_was_whole(tmp_path: Path) -> None:
    longer = 0
    for path, told in killed("recording", tmp_path):
        if not path.exists() or path.stat().st_size < HEADER_BYTES:
            assert told == 0
            continue
        with wave.open(str(path)) as file:
            frames = file.getnframes()
            sound = np.frombuffer(file.readframes(frames), "<i2").reshape(-1, 2)
        assert frames >= told
        assert len(sound) == frames
        assert path.stat().st_size >= HEADER_BYTES + frames * FRAME_BYTES
        longer += path.stat().st_size > HEADER_BYTES + frames * FRAME_BYTES
        # Each side in its turn, block by block, and nothing lost in between.
        places = np.arange(frames) // BLOCK_FRAMES
        values = places // 2 % 30_000 + 1
        assert np.array_equal(sound[:, 0], np.where(places % 2 == 0, values, 0))
        assert np.array_equal(sound[:, 1], np.where(places % 2 == 1, values, 0))
    assert longer, "no kill came in the middle of a block"
