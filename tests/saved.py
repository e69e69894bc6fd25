"""Saved conversations for tests, written by the journal itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from realtime_cli.conversation.records import AssistantSaid, Record, UserSaid
from realtime_cli.journal.entries import Header
from realtime_cli.journal.folder import Folder
from realtime_cli.journal.writer import Journal
from tests.waiting import PATIENCE_S

AT = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)

CAPITALS = (
    (1.0, UserSaid(item_id="u1", text="What is the capital of France?")),
    (2.5, AssistantSaid(item_id="a1", text="The capital of France is Paris.", heard_ms=1400)),
    (6.0, UserSaid(item_id="u2", text="And of Côte d'Ivoire?")),
    (8.0, AssistantSaid(item_id="a2", text="Yamous", heard_ms=300, interrupted=True)),
)


def save(folder: Folder, records: Iterable[tuple[float, Record]] = CAPITALS, at: datetime = AT, **header: str) -> Path:
    """A conversation saved from first to last; returns its file."""
    name, path = folder.new(at)
    journal = Journal(path, Header(id=name, at=at, **{"command": "chat", **header}), _no_notice)
    for t, record in records:
        journal.put(record, t)
    journal.close()
    thread = threading.Thread(target=journal.run)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    return path


def _no_notice(text: str) -> None:
    raise AssertionError(text)
