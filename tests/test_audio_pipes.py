"""Pipes as microphone and loudspeaker."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from realtime_cli.audio.core.pcm import BLOCK_BYTES
from realtime_cli.audio.drivers.pipe import PipeSink, PipeSource
from realtime_cli.errors import InputError
from tests.audio_signals import Background, Ear, Player, noise


def test_a_pipe_microphone_fills_its_last_block_and_drops_half_a_frame() -> None:
    reader, writer = os.pipe()
    ear = Ear()
    with os.fdopen(reader, "rb") as stream:
        run = Background(PipeSource(stream).run, ear, lambda: None)
        for piece in (b"\1\1\1", b"\1" * BLOCK_BYTES, b"\1\1"):
            os.write(writer, piece)
        os.close(writer)
        blocks = ear.wait_for(3)
        run.stop()
    assert blocks[0] == b"\1" * BLOCK_BYTES
    assert blocks[1] == b"\1" * 4 + bytes(BLOCK_BYTES - 4)
    assert blocks[2] == bytes(BLOCK_BYTES)


def test_a_pipe_microphone_can_be_stopped_while_nobody_writes() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb"):
        Background(PipeSource(stream).run, Ear(), lambda: None).stop()


def test_a_pipe_microphone_without_any_audio_is_refused() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    with os.fdopen(reader, "rb") as stream, pytest.raises(InputError, match="held no audio"):
        PipeSource(stream).run(Ear(), lambda: None, threading.Event())


def test_a_pipe_loudspeaker_says_when_nobody_reads() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream, pytest.raises(BrokenPipeError):
        PipeSink(stream).run(Player(noise(0.1)), threading.Event())


def test_a_pipe_loudspeaker_can_be_stopped_while_nobody_reads() -> None:
    reader, writer = os.pipe()
    player = Player(noise(10.0))
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb") as stream:
        os.set_blocking(writer, False)
        while fill(writer):
            pass
        os.set_blocking(writer, True)
        run = Background(PipeSink(stream).run, player)
        while not player.asked:
            run.stopping.wait(0.01)
        run.stop()


def fill(writer: int) -> bool:
    try:
        return os.write(writer, bytes(4096)) > 0
    except BlockingIOError:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_is_neither_microphone_nor_loudspeaker() -> None:
    import pty

    keyboard, terminal = pty.openpty()
    with os.fdopen(keyboard, "wb", buffering=0), os.fdopen(terminal, "r+b", buffering=0) as stream:
        for driver in (PipeSource, PipeSink):
            with pytest.raises(InputError, match="is a terminal"):
                driver(stream).open()
