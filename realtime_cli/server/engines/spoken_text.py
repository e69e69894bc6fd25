"""What is said of what is written: marks are left out, signs become words, and what cannot be said is announced. Pure.

Replies are written for the eye as well: with headings, lists, tables, code and links. A voice that spells them out is
as bad as one that falls silent without a word.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

CODE = "Here comes some code."
TABLE = "Here comes a table."
UNSPEAKABLE = "I can only show that."
"""Said once in place of what has no sound."""

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$")
_RULE = re.compile(r"^\s*(?:[-*_=]\s*){3,}$")
_PREFIX = re.compile(r"^\s*(?:#{1,6}\s+|>\s*|[-*+•]\s+(?:\[[ xX]\]\s+)?)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>()\[\]\"']+[^\s<>()\[\]\"'.,;:!?]")
_EMAIL = re.compile(r"\b([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)\b")
_EMPHASIS = re.compile(r"(\*\*\*|\*\*|\*|__|~~|`+)(?=\S)(.+?)(?<=\S)\1")
_UNDERSCORES = re.compile(r"(?<=\w)_(?=\w)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_MATH = re.compile(r"\$\$?([^$\n]+)\$\$?")

_WORDS = (
    (re.compile(r"\be\.\s?g\.", re.IGNORECASE), "for example"),
    (re.compile(r"\bi\.\s?e\.", re.IGNORECASE), "that is"),
    (re.compile(r"\betc\.", re.IGNORECASE), "and so on."),
    (re.compile(r"\bvs\.?(?=\s)", re.IGNORECASE), "versus"),
    (re.compile(r"\bapprox\.", re.IGNORECASE), "about"),
    (re.compile(r"\bDr\.(?=\s+[A-Z])"), "Doctor"),
    (re.compile(r"\bMr\.(?=\s+[A-Z])"), "Mister"),
    (re.compile(r"\bMrs\.(?=\s+[A-Z])"), "Missis"),
    (re.compile(r"\bProf\.(?=\s+[A-Z])"), "Professor"),
    (re.compile(r"\bNo\.\s?(?=\d)"), "number "),
    (re.compile(r"(?<=\d)\s?km/h\b"), " kilometres an hour"),
    (re.compile(r"(?<=\d)\s?km\b"), " kilometres"),
    (re.compile(r"(?<=\d)\s?kg\b"), " kilograms"),
    (re.compile(r"(?<=\d)\s?cm\b"), " centimetres"),
    (re.compile(r"(?<=\d)\s?mm\b"), " millimetres"),
    (re.compile(r"(?<=\d)\s?(?:GB)\b"), " gigabytes"),
    (re.compile(r"(?<=\d)\s?(?:MB)\b"), " megabytes"),
    (re.compile(r"(?<=\d)\s?°\s?C\b"), " degrees Celsius"),
    (re.compile(r"(?<=\d)\s?°\s?F\b"), " degrees Fahrenheit"),
    (re.compile(r"(?<=\d)\s?°"), " degrees"),
    (re.compile(r"(?<=\d)\s?%"), " percent"),
    (re.compile(r"\s&\s"), " and "),
    (re.compile(r"(?<=[\w)])\s\+\s(?=[\w(])"), " plus "),
    (re.compile(r"(?<=[\w)])\s[×*]\s(?=[\w(])"), " times "),
    (re.compile(r"(?<=\d)\s[-−–]\s(?=\d)"), " minus "),
    (re.compile(r"(?<=[\w)])\s=\s"), " equals "),
    (re.compile(r"(?<=\w)\s?(?:->|→|⇒)\s?(?=\w)"), " to "),
    (re.compile(r"(?<=\d)[–—](?=\d)"), " to "),
)
_MONEY = re.compile(r"([$€£])\s?(\d[\d,]*)(?:\.(\d\d))?\b")
_CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b(?:\s?([aApP])\.?[mM]\b\.?)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")


class SpokenText:
    """Turns the pieces of one reply, as they come, into what is to be said of them."""

    def __init__(self) -> None:
        self._fenced = False
        self._table = False

    def say(self, piece: str, language: str = "en") -> str:
        """What to say of a piece, possibly nothing. Signs become words in English only."""
        said = [self._line(line) for line in piece.split("\n")]
        text = "\n".join(line for line in said if line)
        return in_words(text) if language == "en" else text

    def _line(self, line: str) -> str:
        if _FENCE.match(line):
            self._fenced = not self._fenced
            return CODE if self._fenced else ""
        if self._fenced:
            return ""
        if _TABLE_ROW.match(line):
            first, self._table = not self._table, True
            return TABLE if first else ""
        if line.strip():
            self._table = False
        if _RULE.match(line):
            return ""
        return plain(line)


def plain(line: str) -> str:
    """A line without marks, links by their words, addresses by their host, and no pictograms."""
    line = _PREFIX.sub("", line)
    line = _PICTURE.sub(r"\1", line)
    line = _LINK.sub(r"\1", line)
    line = _URL.sub(lambda found: _host(found[0]), line)
    line = _EMAIL.sub(lambda found: f"{found[1].replace('.', ' dot ')} at {found[2].replace('.', ' dot ')}", line)
    line = _TAG.sub("", line)
    line = _MATH.sub(r"\1", line)
    for _ in range(3):  # marks within marks
        line = _EMPHASIS.sub(r"\2", line)
    line = _UNDERSCORES.sub(" ", line)
    line = "".join(" " if _is_pictogram(char) else char for char in line)
    return re.sub(r"[ \t]+", " ", line)


def in_words(text: str) -> str:
    """English signs, units, amounts and times as words."""
    text = _MONEY.sub(_money, text)
    text = _CLOCK.sub(_clock, text)
    text = _THOUSANDS.sub("", text)
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return text


def is_sayable(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(char.isalnum() for char in text)


def _host(address: str) -> str:
    host = urlsplit(address if "://" in address else f"http://{address}").hostname or "a link"
    return host.removeprefix("www.").replace(".", " dot ")


def _is_pictogram(char: str) -> bool:
    """Emoji, arrows, boxes and what joins them; not the signs that have a word."""
    if char in "°+=<>|~^$€£×÷→⇒−&%`´":
        return char in "<>|~^`´"
    return unicodedata.category(char) in ("So", "Sk", "Cs", "Co", "Cn") or char in "\u200d\ufe0e\ufe0f\u20e3"


def _money(found: re.Match[str]) -> str:
    unit, small = _CURRENCIES[found[1]]
    whole = found[2].replace(",", "")
    words = f"{whole} {unit}{'' if whole == '1' else 's'}"
    if found[3] and found[3] != "00":
        words += f" {int(found[3])}" if small == "penny" else f" and {int(found[3])} {small}s"
    return words


def _clock(found: re.Match[str]) -> str:
    hour, minute, half = found[1].lstrip("0") or "0", found[2], found[3]
    minutes = "" if minute == "00" else f" oh {int(minute)}" if minute.startswith("0") else f" {minute}"
    if half:
        return f"{hour}{minutes} {half.upper()} M"
    return f"{hour}{minutes or ' o clock'}"
