"""Audio of the wire, however a server cut it: by the decoder alone, and through the program into a file."""

from __future__ import annotations

import base64
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.audio.core.delta_decoder import DeltaDecoder
from tests.running import run
from tests.scripted_reply import tone
from tests.scripted_server import Script, ScriptedServer
from tests.scripted_talk import Talk

PIECES = st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=40)), max_size=40)


@given(pieces=PIECES, padded=st.booleans())
def test_parts_that_come_interleaved_in_pieces_of_any_size_are_what_was_sent(
    pieces: list[tuple[int, bytes]], padded: bool
) -> None:
    decoder = DeltaDecoder()
    decoded = [b"", b"", b""]
    for part, piece in pieces:
        delta = base64.b64encode(piece).decode()
        decoded[part] += decoder.decode("item", part, delta if padded else delta.rstrip("="))
        assert len(decoded[part]) % 2 == 0
    for part in range(3):
        sent = b"".join(piece for number, piece in pieces if number == part)
        assert decoded[part] == sent[: len(sent) // 2 * 2]


@given(pieces=st.lists(st.binary(min_size=1, max_size=9), max_size=9))
def test_several_padded_pieces_in_one_delta_are_all_decoded(pieces: list[bytes]) -> None:
    delta = "".join(base64.b64encode(piece).decode() for piece in pieces)
    sent = b"".join(pieces)
    assert DeltaDecoder().decode("item", 0, delta) == sent[: len(sent) // 2 * 2]


@given(text=st.text(max_size=40))
def test_what_is_no_base64_is_no_error(text: str) -> None:
    assert len(DeltaDecoder().decode("item", 0, text)) % 2 == 0


def test_half_a_frame_at_the_end_of_a_part_does_not_spoil_its_next_use() -> None:
    decoder = DeltaDecoder()
    decoder.decode("item", 0, base64.b64encode(b"abc").decode())
    decoder.finish("item", 0)
    assert decoder.decode("item", 0, base64.b64encode(b"de").decode()) == b"de"


def in_pieces(delta_bytes: int) -> Script:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        reply = talk.begin_reply()
        reply.say("A tone.", audio_ms=900, delta_bytes=delta_bytes)
        reply.finish()
        talk.obey_until_closed()

    return script


@pytest.mark.parametrize("delta_bytes", [3001, 9600])
def test_a_reply_cut_at_odd_bytes_sounds_as_it_was_sent(delta_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    with ScriptedServer(in_pieces(delta_bytes)) as server:
        done = run("say", "hum", "--speaker", str(path), "--base-url", server.url)
    assert done.returncode == 0, done.stderr
    with wave.open(str(path)) as file:
        assert file.readframes(file.getnframes()) == tone(900)
