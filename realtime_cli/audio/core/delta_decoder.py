"""Wire audio put together from deltas: base64 that need not be whole frames, nor padded as it should be.

Servers that cut a byte stream anywhere send pieces of odd length, which end in half a sample: were each decoded alone,
everything behind it would be noise at full scale.
"""

from __future__ import annotations

import binascii

from realtime_cli.audio.core.pcm import FRAME_BYTES


class DeltaDecoder:
    """Decodes the deltas of several parts, each part in its order. One thread; does not block."""

    def __init__(self) -> None:
        self._carried: dict[tuple[str, int], bytes] = {}

    def decode(self, item_id: str, content_index: int, delta: str) -> bytes:
        """PCM16 in whole frames; what is left of a frame is kept for the part's next delta.

        What is not base64 decodes to as much as can be made of it, at worst nothing.
        """
        pcm = self._carried.pop((item_id, content_index), b"") + _from_base64(delta)
        whole = len(pcm) - len(pcm) % FRAME_BYTES
        if whole < len(pcm):
            self._carried[item_id, content_index] = pcm[whole:]
        return pcm[:whole]

    def finish(self, item_id: str, content_index: int) -> None:
        """The part has ended: half a frame at its end is lost."""
        self._carried.pop((item_id, content_index), None)


def _from_base64(text: str) -> bytes:
    """The bytes of base64 text (RFC 4648, 4), also of several pieces in a row and of some that lack their padding."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return b"".join(_from_piece(piece) for piece in text.split("=") if piece)


def _from_piece(piece: str) -> bytes:
    try:
        return binascii.a2b_base64(piece + "=" * (-len(piece) % 4))
    except ValueError:
        return b""
