"""Facts about the audio on the wire: signed 16-bit little-endian PCM, mono, 24 kHz.

Source: the Realtime API's ``audio/pcm`` format, whose only rate is 24000
(https://platform.openai.com/docs/api-reference/realtime). No numpy here: text turns must not pay for its import.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

RATE_HZ = 24_000
"""The sample rate of ``audio/pcm`` in both directions."""

FRAME_BYTES = 2
"""One mono frame: one signed 16-bit sample."""

BLOCK_MS = 20
"""What one microphone block holds: the packet length most voice codecs and networks are made for (RFC 7587, 2.1.4)."""

BLOCK_FRAMES = RATE_HZ * BLOCK_MS // 1000
BLOCK_BYTES = BLOCK_FRAMES * FRAME_BYTES

RECORDED_BLOCK_MS = 100
"""What is sent of a recording at a time: fewer messages than a microphone's, and a cut is still between words."""

RECORDED_BLOCK_BYTES = RATE_HZ * RECORDED_BLOCK_MS // 1000 * FRAME_BYTES


def frames_to_ms(frames: int, rate_hz: int = RATE_HZ) -> int:
    """Whole milliseconds in ``frames``, rounded down: a truncation must never claim more than was heard."""
    return frames * 1000 // rate_hz


def ms_to_frames(ms: float, rate_hz: int = RATE_HZ) -> int:
    """Whole frames in ``ms`` milliseconds, rounded down."""
    return int(ms * rate_hz / 1000)


def bytes_to_ms(size: int) -> int:
    """Whole milliseconds in ``size`` bytes of wire audio."""
    return frames_to_ms(size // FRAME_BYTES)


def base64_bytes(encoded: str) -> int:
    """Bytes in a base64 string, told from its length alone (RFC 4648, 4) without decoding it."""
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")


def later_part(blocks: Iterable[bytes], from_ms: int) -> Iterator[bytes]:
    """Wire audio in blocks, without its first ``from_ms`` milliseconds."""
    skip = ms_to_frames(from_ms) * FRAME_BYTES
    for block in blocks:
        if skip < len(block):
            yield block[skip:]
        skip = max(0, skip - len(block))


MAX_WAV_BYTES = 0xFFFF_FFFF - 36
"""The most audio that the header of a WAV file can tell of: 24 hours of one channel."""

_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def wav_header(data_bytes: int, channels: int = 1) -> bytes:
    """What stands before wire audio in a WAV file (http://soundfile.sapp.org/doc/WaveFormat/): 44 bytes.

    ``data_bytes`` is the size of the audio; what is beyond :data:`MAX_WAV_BYTES` is not told of.
    """
    size, frame_bytes = min(data_bytes, MAX_WAV_BYTES), channels * FRAME_BYTES
    form = (b"fmt ", 16, 1, channels, RATE_HZ, RATE_HZ * frame_bytes, frame_bytes, 8 * FRAME_BYTES)
    return _WAV_HEADER.pack(b"RIFF", 36 + size, b"WAVE", *form, b"data", size)
