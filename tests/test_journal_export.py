"""Saved conversations in other forms."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from realtime_cli.conversation.records import (
    AssistantSaid,
    SideChannelSaid,
    ToolCalled,
    ToolFinished,
    Transcribed,
    UserSaid,
)
from realtime_cli.journal.entries import Conversation, read
from realtime_cli.journal.export import exported
from realtime_cli.journal.folder import Folder
from tests.saved import CAPITALS, save

WITH_TOOLS = (
    *CAPITALS,
    (9.0, ToolCalled(call_id="c1", name="list_files", arguments='{"folder": "."}')),
    (9.4, ToolFinished(call_id="c1", name="list_files", output="a.txt\nb.txt", failed=False, duration_ms=400)),
    (10.0, ToolFinished(call_id="c2", name="rm", output="not allowed", failed=True, duration_ms=0)),
    (11.0, SideChannelSaid(name="mood", text="curious")),
)


@pytest.fixture
def talk(tmp_path: Path) -> Conversation:
    return read(save(Folder(tmp_path), WITH_TOOLS, provider="openai", model="gpt-realtime-2.1"))


def test_text_is_what_the_screen_showed(talk: Conversation) -> None:
    assert exported(talk, "txt") == (
        "you  What is the capital of France?\n"
        " ai  The capital of France is Paris.\n"
        "you  And of Côte d'Ivoire?\n"
        " ai  Yamous — [interrupted]\n"
        'tool list_files({"folder": "."})\n'
        "     → a.txt b.txt\n"
        "     failed: not allowed\n"
        "note mood: curious\n"
    )


def test_markdown_has_who_when_and_what(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    text = exported(talk, "md")
    assert text.splitlines()[2] == f"openai, gpt-realtime-2.1 · 0:11 · {talk.header.id}"
    assert "**You** (0:01): What is the capital of France?" in text
    assert "**Assistant** (0:08): Yamous …" in text
    assert '> list\\_files({"folder": "."})' in text


def test_nothing_that_was_said_becomes_markup(tmp_path: Path) -> None:
    said = "<script>alert(1)</script> [click](http://x) *bold* `code` # head"
    text = exported(read(save(Folder(tmp_path), [(1.0, UserSaid(item_id="u", text=said))])), "md")
    assert "\\<script\\>" in text
    assert "\\[click\\](http://x)" in text
    assert "\\*bold\\* \\`code\\`" in text


def test_json_is_one_document_with_every_line_also_unknown_ones(talk: Conversation) -> None:
    with talk.path.open("ab") as file:
        file.write(b'{"type":"smell","t":12,"of":"coffee"}\nno json\n{"type":"torn')
    document = json.loads(exported(read(talk.path), "json"))
    assert document["id"] == talk.header.id
    assert [entry["type"] for entry in document["entries"]][-2:] == ["aside", "smell"]
    assert document["entries"][-1]["of"] == "coffee"


def test_subtitles_never_overlap_and_say_who_speaks(talk: Conversation) -> None:
    assert exported(talk, "vtt").startswith("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nYou: What is the capital")
    lines = exported(talk, "srt").splitlines()
    times = [line.split(" --> ") for line in lines if " --> " in line]
    assert all(start < end for start, end in times)
    assert all(end <= start for (_, end), (start, _) in pairwise(times))


def test_subtitles_of_a_transcription_keep_its_times(tmp_path: Path) -> None:
    said = [(3.0, Transcribed(item_id="t1", text="Hello there.", start_ms=500, end_ms=1700))]
    assert exported(read(save(Folder(tmp_path), said)), "srt") == ("1\n00:00:00,500 --> 00:00:01,700\nHello there.\n\n")


def test_control_characters_do_not_survive_the_export_for_the_terminal(tmp_path: Path) -> None:
    said = [(1.0, AssistantSaid(item_id="a", text="\x1b]0;title\x07 and \x9b31m red"))]
    assert not {"\x1b", "\x07", "\x9b"} & set(exported(read(save(Folder(tmp_path), said)), "txt"))


@pytest.mark.parametrize("form", ["md", "json", "txt", "srt", "vtt"])
def test_nothing_in_an_export_is_obeyed_by_a_terminal(tmp_path: Path, form: Literal["md", "json", "txt"]) -> None:
    hostile = "a\x1b]0;title\x07b\x9b31mc\u202ed\u2028e"
    path = save(Folder(tmp_path), [(1.0, UserSaid(item_id="u", text=hostile))], provider=hostile, model=hostile)
    assert not set("\x1b\x07\x9b\u202e\u2028") & set(exported(read(path), form))
