"""The JSON view: one object a line on standard output, and nothing anywhere else.

``type`` comes first, then ``t`` (seconds since the start), then the record's own fields as
:mod:`realtime_cli.conversation.records` names them. Always UTF-8, each line flushed.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import msgspec

from realtime_cli.conversation.records import Record
from realtime_cli.printable import json_line
from realtime_cli.view.line_view import LineView


class JsonView(LineView):
    """Writes bytes, so that the platform's idea of a text encoding has no say."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def show(self, record: Record, t: float) -> None:
        """Write one line. Raises BrokenPipeError."""
        fields: dict[str, Any] = msgspec.to_builtins(record)
        line = {"type": fields.pop("type"), "t": round(t, 3), **fields}
        self._out.write(json_line(line).encode() + b"\n")
        self._out.flush()

    def close(self) -> None:
        """Nothing to restore."""
