"""Files for results: what was there stays until there is something, and what is written is whole at any moment."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime_cli.conversation.records import Ended, SessionStarted, Transcribed
from realtime_cli.errors import InputError
from realtime_cli.result_file import ResultFile, write_whole
from realtime_cli.view.subtitles import Format, writer
from realtime_cli.view.transcription import FileTranscript, TranscriptView
from tests.running import run

STARTED = SessionStarted(id="sess_1", model="m", provider="p")
ONE = Transcribed(item_id="i1", text="Stretch 1.", start_ms=1000, end_ms=1900)
TWO = Transcribed(item_id="i2", text="Stretch 2.", start_ms=2000, end_ms=2900)
EMPTY = '{\n  "segments": [\n  ],\n  "text": ""\n}\n'
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a file system of POSIX")


def transcript(path: Path, form: Format) -> FileTranscript:
    view = FileTranscript(TranscriptView(io.StringIO(), io.StringIO(), writer("txt")), path, writer(form))
    view.open()
    return view


@pytest.mark.parametrize("form", ["txt", "srt", "vtt", "json"])
def test_an_old_transcript_stays_until_the_first_words_and_is_whole_after_each_stretch(
    tmp_path: Path, form: Format
) -> None:
    path = tmp_path / f"talk.{form}"
    path.write_text("old")
    view = transcript(path, form)
    view.show(STARTED, 0.0)
    assert path.read_text() == "old"
    wanted = writer(form)
    text = wanted.head()
    for record in (ONE, TWO):
        view.show(record, 1.0)
        text += wanted.piece(record)
        assert path.read_text(encoding="utf-8") == text + wanted.tail()
    view.show(Ended(reason="done", exit_code=0), 2.0)
    view.close()
    view.close()
    assert path.read_text(encoding="utf-8") == text + wanted.tail()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_transcript_as_json_is_a_document_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    view = transcript(path, "json")
    for record, texts in ((ONE, ["Stretch 1."]), (TWO, ["Stretch 1.", "Stretch 2."])):
        view.show(record, 0.0)
        document = json.loads(path.read_text())
        assert [stretch["text"] for stretch in document["segments"]] == texts
        assert document["text"] == " ".join(texts)
    view.close()


@pytest.mark.parametrize(("exit_code", "left"), [(0, EMPTY), (4, "old"), (130, "old")])
def test_silence_is_an_empty_transcript_and_a_failure_is_none(tmp_path: Path, exit_code: int, left: str) -> None:
    path = tmp_path / "talk.json"
    path.write_text("old")
    view = transcript(path, "json")
    view.show(STARTED, 0.0)
    view.show(Ended(reason="done", exit_code=exit_code), 1.0)
    view.close()
    assert path.read_text() == left


@POSIX
def test_a_transcript_goes_into_a_pipe_too(tmp_path: Path) -> None:
    read, write = os.pipe()
    view = transcript(Path(f"/dev/fd/{write}"), "json")
    for record in (ONE, TWO):
        view.show(record, 0.0)
    view.show(Ended(reason="done", exit_code=0), 1.0)
    view.close()
    os.close(write)
    document = os.read(read, 10_000)
    os.close(read)
    assert json.loads(document)["text"] == "Stretch 1. Stretch 2."


def test_a_server_that_is_not_there_leaves_the_old_transcript_alone(tmp_path: Path) -> None:
    old = tmp_path / "old.srt"
    old.write_text("1\nold\n")
    question = Path(__file__).parent.parent / "examples" / "question.wav"
    done = run("transcribe", str(question), "-o", str(old), "--base-url", "127.0.0.1:9")
    assert done.returncode == 4
    assert old.read_text() == "1\nold\n"


@POSIX
def test_a_new_file_is_its_owners_and_an_old_one_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "old").chmod(0o644)
    (tmp_path / "link").symlink_to("old")
    for name in ("new", "link"):
        file = ResultFile(tmp_path / name)
        file.check()
        file.write(b"first")
        file.write(b", second")
        file.close()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "old").read_bytes() == b"first, second"


@POSIX
def test_what_is_exported_replaces_a_file_in_one_step_and_keeps_its_permissions(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("what was there before")
    old.chmod(0o644)

    def failing() -> Iterator[bytes]:
        yield b"the beginning"
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(InputError, match="Input/output error"):
        write_whole(old, failing())
    assert old.read_text() == "what was there before"
    for path in (old, new):
        write_whole(path, (b"first", b", second"))
        assert path.read_bytes() == b"first, second"
    assert (old.stat().st_mode & 0o777, new.stat().st_mode & 0o777) == (0o644, 0o600)
    assert {each.name for each in tmp_path.iterdir()} == {"old", "new"}


@pytest.mark.parametrize("name", ["no/folder/x.txt", "."])
def test_what_cannot_be_written_is_said_beforehand(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot write"):
        ResultFile(tmp_path / name).check()


FULL = """
import resource, signal, sys
from pathlib import Path
from realtime_cli.errors import InputError
from realtime_cli.result_file import ResultFile

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
file = ResultFile(Path(sys.argv[1]))
file.check()
try:
    file.write(bytes(2000))
except InputError as error:
    print(error)
"""


@POSIX
def test_a_disk_that_is_full_leaves_what_was_there_and_no_litter(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    command = [sys.executable, "-c", FULL, str(tmp_path / "old")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == f"cannot write {tmp_path / 'old'}: File too large\n", done.stderr
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("old", "old")]
