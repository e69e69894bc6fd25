"""How much of the replies is heard in a call that is joined from the side: the server plays them to another client.

It says when it begins and stops to send a reply's sound, or gives it up (``output_audio_buffer.*``, in calls only), and
where it cuts a reply (``conversation.item.truncated``); what is left of the words then, it says when it is asked
(``conversation.item.retrieve``), which the other client does. The two come in either order
(https://platform.openai.com/docs/guides/realtime-conversations#handling-interruptions).
"""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.history import Entry, History
from realtime_cli.protocol.items import Item

CUT_S = 1.5
"""How long the words that are left of a reply which was cut are waited for; they take a round trip."""

SOUNDLESS_S = 10.0
"""How long after its end a reply may begin to sound; a server that tells nothing of sound is taken at its words."""

REMEMBERED = 16
"""Of how many responses it is known which items they have."""


class Sound(msgspec.Struct):
    """One response's. Times are the core's clock; ``due``: when no more news of it is waited for."""

    item_ids: list[str] = []
    began_at: float | None = None
    due: float | None = None
    measured: bool = False
    """The server said how far it was heard."""


class CallPlayback:
    """See the module. What was heard is kept in the history's entries, whose parts are played ``elsewhere``."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._sounds: dict[str, Sound] = {}

    @property
    def due(self) -> float | None:
        """When something is settled that the server tells nothing more of."""
        return min((sound.due for sound in self._sounds.values() if sound.due is not None), default=None)

    def has_item(self, response_id: str, item_id: str) -> None:
        """An item belongs to this response."""
        sound = self._sounds.setdefault(response_id, Sound())
        if item_id and item_id not in sound.item_ids:
            sound.item_ids.append(item_id)
        while len(self._sounds) > REMEMBERED:
            self._settle(self._sounds.pop(next(iter(self._sounds))))

    def response_done(self, response_id: str, now: float) -> None:
        """No more of it will come; its sound may begin later."""
        sound = self._sounds.get(response_id)
        if sound is None or sound.began_at is not None:
            return
        cut = any(entry.interrupted for entry in self._open(sound))
        sound.due = now + (CUT_S if cut else SOUNDLESS_S)

    def started(self, response_id: str, now: float) -> str:
        """The sound begins; the id of the item that is heard first, or nothing. There is one at a time."""
        for earlier in self._sounds.values():
            if earlier.began_at is not None:
                self._stop(earlier, now)
        sound = self._of(response_id)
        sound.began_at, sound.due = now, None
        return sound.item_ids[0] if sound.item_ids else ""

    def stopped(self, response_id: str, now: float) -> None:
        """All was sent."""
        self._stop(self._of(response_id), now)

    def cleared(self, response_id: str, now: float) -> None:
        """The rest is not sent: how far it was heard is told as well."""
        sound = self._of(response_id)
        for entry in () if sound.measured else self._open(sound):
            self._cut(entry, self._heard_ms(sound, now))
        sound.began_at, sound.due = None, now + CUT_S

    def truncated(self, item_id: str, heard_ms: int, now: float) -> None:
        """The server keeps so much of a reply."""
        entry = self._history.find(item_id)
        if entry is None or entry.role != "assistant" or not entry.audible:
            return
        self._cut(entry, heard_ms)
        for sound in self._sounds.values():
            if item_id in sound.item_ids:
                sound.began_at, sound.due, sound.measured = None, now + CUT_S, True

    def retrieved(self, item: Item) -> None:
        """The server says what an item holds: of one that was cut, what was heard. OpenAI has forgotten the words."""
        entry = self._history.find(item.id or "")
        if entry is None or not entry.interrupted or not entry.audible:
            return
        if item.words:
            entry.text, entry.marks = item.words.strip(), []
            for part in entry.parts.values():
                part.complete = True
        _finish(entry)

    def stop(self, now: float) -> None:
        """The call ends: what is being said is cut off."""
        for sound in self._sounds.values():
            for entry in self._open(sound):
                _hear(entry, self._heard_ms(sound, now))
            sound.began_at = sound.due = None

    def time_passed(self, now: float) -> None:
        """Settle what is due."""
        for sound in self._sounds.values():
            if sound.due is not None and now >= sound.due:
                self._settle(sound)

    def _of(self, response_id: str) -> Sound:
        """The sound of this response; the latest where the server leaves the id out."""
        if not response_id and self._sounds:
            return self._sounds[next(reversed(self._sounds))]
        return self._sounds.setdefault(response_id, Sound())

    def _open(self, sound: Sound) -> list[Entry]:
        found = (self._history.find(item_id) for item_id in sound.item_ids)
        return [entry for entry in found if entry is not None and entry.audible]

    def _heard_ms(self, sound: Sound, now: float) -> int:
        return 0 if sound.began_at is None else round((now - sound.began_at) * 1000)

    def _cut(self, entry: Entry, heard_ms: int) -> None:
        entry.interrupted = entry.final = True
        _hear(entry, heard_ms)

    def _stop(self, sound: Sound, now: float) -> None:
        for entry in self._open(sound):
            _hear(entry, self._heard_ms(sound, now))
            _finish(entry)
        sound.began_at = sound.due = None

    def _settle(self, sound: Sound) -> None:
        for entry in self._open(sound):
            _finish(entry)
        sound.due = None


def _hear(entry: Entry, heard_ms: int) -> None:
    """So much was heard, of one part: replies in calls have no more than one with sound."""
    for part in entry.parts.values():
        part.heard_ms = heard_ms


def _finish(entry: Entry) -> None:
    for part in entry.parts.values():
        part.finished = True
