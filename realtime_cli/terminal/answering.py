"""Whether what is typed now can be meant for the question on the screen. Pure, but for being told the time."""

from __future__ import annotations

from realtime_cli.conversation.records import Snapshot, ToolAsked

ARMING_S = 0.6
"""How long a question stands before an answer to it is taken: what comes sooner was typed for something else. Half a
second, as browsers wait before their own questions (https://bugzilla.mozilla.org/show_bug.cgi?id=162020), and the
tenth of one until it is drawn."""


class Answering:
    """Knows since when the question stands. Told of snapshots on one thread, and asked on another."""

    def __init__(self) -> None:
        # One reference, which is replaced as a whole: the two belong together.
        self._asked: tuple[ToolAsked | None, float] = None, 0.0

    def see(self, snapshot: Snapshot, now: float) -> bool:
        """How things stand at ``now`` seconds of a monotonic clock; whether there is another question than before."""
        changed = snapshot.question != self._asked[0]
        if changed:
            self._asked = snapshot.question, now
        return changed

    def question(self, now: float) -> ToolAsked | None:
        """The question that an answer can be meant for: one that has stood for long enough."""
        question, since = self._asked
        return question if now >= since + ARMING_S else None

    def due(self, now: float) -> float | None:
        """When there will be such a question, if there is not one yet."""
        question, since = self._asked
        return since + ARMING_S if question is not None and now < since + ARMING_S else None
