"""Finding among saved conversations: an index in SQLite, made from their files and brought up to date before each use.

Nothing is lost when it is deleted: it is made anew. Programs that hold conversations do not touch it, so that none of
them waits for another.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime
from pathlib import Path

import msgspec

from realtime_cli.journal.entries import Conversation, NotAConversation, read
from realtime_cli.journal.folder import Folder, id_of

FILE_NAME = "index.sqlite3"

SCHEMA = 1
"""Another number in the file means that it is made anew."""

BUSY_S = 10.0
"""How long to wait for another program that is bringing the index up to date."""

_TABLES = """
CREATE TABLE IF NOT EXISTS conversations (
    path TEXT PRIMARY KEY, id TEXT, size INTEGER, changed_ns INTEGER,
    at REAL, command TEXT, provider TEXT, model TEXT, first_words TEXT,
    turns INTEGER, duration_s REAL, tokens INTEGER, usd REAL, unpriced INTEGER);
CREATE TABLE IF NOT EXISTS lines (path TEXT, t REAL, who TEXT, text TEXT);
CREATE INDEX IF NOT EXISTS lines_of ON lines (path);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, content='lines', tokenize='unicode61 remove_diacritics 2');
CREATE TRIGGER IF NOT EXISTS line_joins AFTER INSERT ON lines BEGIN
    INSERT INTO words (rowid, text) VALUES (new.rowid, new.text);
END;
CREATE TRIGGER IF NOT EXISTS line_goes AFTER DELETE ON lines BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.rowid, old.text);
END;
"""

_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Scripts that write words without spaces between them, which the index takes for one long word."""

FIRST_WORDS_CHARS = 80

MOST = 2**63 - 1
"""The largest number that SQLite holds; a server may claim to have counted more tokens."""


class Summary(msgspec.Struct, frozen=True):
    """One conversation in a list."""

    path: Path
    id: str
    at: datetime
    command: str
    provider: str
    model: str
    first_words: str
    turns: int
    duration_s: float
    tokens: int
    usd: float | None
    """None where something in it has no known price."""


class Match(msgspec.Struct, frozen=True):
    """One line that was found."""

    conversation: Summary
    t: float
    who: str
    text: str


class Sum(msgspec.Struct, frozen=True):
    """What was held on one day with one model."""

    day: date
    """As the clock on the wall said it."""
    provider: str
    model: str
    conversations: int
    turns: int
    minutes: float
    tokens: int
    usd: float | None
    """None where something in it has no known price."""


class Index:
    """The index of one folder. Blocks for the file system; for one thread."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.path = folder.path / FILE_NAME

    def conversations(self, since: date | None = None, provider: str | None = None) -> list[Summary]:
        """All of them, or those that began on or after ``since`` with ``provider``, the newest first.

        Raises OSError, and sqlite3.Error where not even a new index can be made.
        """
        start = datetime.combine(since, datetime.min.time()).timestamp() if since else 0.0
        wanted = "SELECT * FROM conversations WHERE at >= ? AND (? IS NULL OR provider = ?) ORDER BY at DESC, path DESC"
        with self._up_to_date() as database:
            return [_summary(row) for row in database.execute(wanted, (start, provider, provider))]

    def search(self, words: Sequence[str], limit: int = 100) -> list[Match]:
        """Lines in which all ``words`` stand, in any order and with any accents, the newest first. Raises as above."""
        terms = [term for word in words for term in word.split()]
        if not terms:
            return []
        with self._up_to_date() as database:
            where, arguments = _condition(terms)
            found = database.execute(
                f"SELECT lines.t, lines.who, lines.text, conversations.* FROM lines "  # noqa: S608 -- only our own text
                f"JOIN conversations USING (path) WHERE {where} ORDER BY conversations.at DESC, lines.t LIMIT ?",
                (*arguments, limit),
            )
            return [Match(_summary(row[3:]), *row[:3]) for row in found]

    def sums(self, since: date | None = None) -> list[Sum]:
        """What was held on each day with each model, the newest day first. Raises as above."""
        groups: dict[tuple[date, str, str], list[Summary]] = {}
        for each in self.conversations(since):
            groups.setdefault((each.at.date(), each.provider, each.model), []).append(each)
        return [_sum(group, *key) for key, group in sorted(groups.items(), key=lambda item: item[0], reverse=True)]

    @contextmanager
    def _up_to_date(self) -> Iterator[sqlite3.Connection]:
        try:
            database = self._updated()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                # Locked, or without room on the disk: it is not the file that is wrong.
                raise
            self.path.unlink(missing_ok=True)
            database = self._updated()
        with closing(database):
            yield database

    def _updated(self) -> sqlite3.Connection:
        """Open the index, or make it, and learn of what has changed. Raises OSError and sqlite3.Error."""
        self.folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = sqlite3.connect(self.path, timeout=BUSY_S)
        try:
            with suppress(OSError):
                self.path.chmod(0o600)
            _check_version(database)
            database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={SCHEMA}; COMMIT;")
            with database:
                self._update(database)
        except BaseException:
            database.close()
            raise
        return database

    def _update(self, database: sqlite3.Connection) -> None:
        known = {row[0]: row[1:] for row in database.execute("SELECT path, size, changed_ns FROM conversations")}
        there = {}
        for file in self.folder.paths():
            with suppress(FileNotFoundError):
                facts = file.stat()
                there[str(file)] = (facts.st_size, facts.st_mtime_ns)
        for gone in known.keys() - there.keys():
            _forget(database, gone)
        for path, state in there.items():
            if known.get(path) != state:
                _forget(database, path)
                # One that cannot be read is told of where it is asked for by name, not in every list.
                with suppress(OSError, NotAConversation):
                    _learn(database, read(Path(path)), state)


def _check_version(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, SCHEMA):
        raise sqlite3.DatabaseError("made by another version of this program")


def _forget(database: sqlite3.Connection, path: str) -> None:
    database.execute("DELETE FROM lines WHERE path = ?", (path,))
    database.execute("DELETE FROM conversations WHERE path = ?", (path,))


def _learn(database: sqlite3.Connection, conversation: Conversation, state: tuple[int, int]) -> None:
    path, header = str(conversation.path), conversation.header
    said = [(entry.type, entry.text, entry.t) for entry in conversation.said if entry.text]
    first_words = next((text for who, text, _ in said if who != "assistant"), said[0][1] if said else "")
    database.executemany("INSERT INTO lines VALUES (?, ?, ?, ?)", [(path, t, who, text) for who, text, t in said])
    paid = [entry for entry in conversation.entries if entry.type == "usage"]
    row = (
        path,
        id_of(conversation.path),
        *state,
        header.at.timestamp(),
        header.command,
        header.provider,
        conversation.model,
        " ".join(first_words.split())[:FIRST_WORDS_CHARS],
        sum(who != "assistant" for who, _, _ in said),
        conversation.duration_s,
        min(max(0, sum((entry.input_tokens or 0) + (entry.output_tokens or 0) for entry in paid)), MOST),
        sum(entry.usd or 0.0 for entry in paid),
        sum(entry.usd is None for entry in paid),
    )
    database.execute(f"INSERT INTO conversations VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 -- only marks


def _summary(row: Sequence[object]) -> Summary:
    path, name, _size, _changed, at, command, provider, model, first, turns, duration, tokens, usd, unpriced = row
    return Summary(
        path=Path(str(path)),
        id=str(name),
        at=datetime.fromtimestamp(float(str(at))).astimezone(),
        command=str(command),
        provider=str(provider),
        model=str(model),
        first_words=str(first),
        turns=int(str(turns)),
        duration_s=float(str(duration)),
        tokens=int(str(tokens)),
        usd=None if unpriced else float(str(usd)),
    )


def _sum(group: Sequence[Summary], day: date, provider: str, model: str) -> Sum:
    dollars = [each.usd for each in group]
    return Sum(
        day=day,
        provider=provider,
        model=model,
        conversations=len(group),
        turns=sum(each.turns for each in group),
        minutes=round(sum(each.duration_s for each in group) / 60, 1),
        tokens=sum(each.tokens for each in group),
        usd=None if None in dollars else sum(each for each in dollars if each is not None),
    )


def _condition(terms: Sequence[str]) -> tuple[str, list[str]]:
    """What holds for a line in which all terms stand, and the values of its question marks."""
    if any(_WITHOUT_SPACES.search(term) for term in terms):
        escaped = [re.sub(r"([%_\\])", r"\\\1", term) for term in terms]
        return " AND ".join(r"lines.text LIKE ? ESCAPE '\'" for _ in terms), [f"%{term}%" for term in escaped]
    # In quotes nothing of it is FTS5's query language (https://www.sqlite.org/fts5.html#full_text_query_syntax).
    quoted = " ".join('"' + term.replace('"', '""') + '"' for term in terms)
    return "lines.rowid IN (SELECT rowid FROM words WHERE words MATCH ?)", [quoted]
