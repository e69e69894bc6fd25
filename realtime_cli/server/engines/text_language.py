"""In which language a text is written, well enough to choose a voice for it. Pure.

By its letters where they tell, else by its commonest words; what cannot be told is English.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

_SCRIPTS: Mapping[str, str] = {
    "CYRILLIC": "ru",
    "GREEK": "el",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "ARABIC": "ar",
    "HEBREW": "he",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "THAI": "th",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
}
"""How Unicode names the letters of a script, and the language that most write in it."""

_COMMON = """
en: the a an is are was of to and in that it you i for with on this be have not my your what
de: der die das ein eine ist sind war und nicht ich du sie wir mit auf für zu von den dem es auch wie
fr: le la les un une est sont et ne pas je vous il elle nous avec pour de du des que qui dans c'est à bonjour
es: el la los las un una es son y no yo usted con para de del que en por está qué hola se lo muy su
it: il lo la gli le un una è sono e non io lei con per di del che in da si questo ciao molto della
pt: o a os as um uma é são e não eu você com para de do da que em por se isso olá muito
nl: de het een is zijn was en niet ik je jij wij met op voor van te dat die ook hoe hallo
pl: i w nie na się jest to że do z jak ja ty co jestem są był dla po o czy cześć tak
sv: och är inte en ett jag du det som på för med av att den vi har var hej till om
tr: ve bir bu ne için ile değil çok ben sen o var mı da de gibi daha merhaba nasıl
cs: a je se na že v to není já ty jsem jsou byl pro s jak co ahoj ale do tak už
"""
_WORDS = {line[:2]: frozenset(line[3:].split()) for line in _COMMON.split("\n") if line}
"""The commonest words of the languages that are written in Latin letters."""

_LETTERS: Mapping[str, str] = {
    **dict.fromkeys("äöüß", "de"),
    **dict.fromkeys("ñ¿¡", "es"),
    **dict.fromkeys("ãõ", "pt"),
    **dict.fromkeys("łżśźąę", "pl"),
    **dict.fromkeys("åø", "sv"),
    **dict.fromkeys("ğşı", "tr"),
    **dict.fromkeys("řěů", "cs"),
    **dict.fromkeys("œêèù", "fr"),
}
"""Letters that one language uses far more than the others."""


def language_of(text: str, otherwise: str = "en") -> str:
    """Its code (ISO 639-1); ``otherwise`` where nothing in it tells."""
    letters = [char for char in text.casefold() if char.isalpha()]
    scripts = Counter(unicodedata.name(char, "?").split()[0] for char in letters)
    script, _ = scripts.most_common(1)[0] if scripts else ("LATIN", 0)
    if script == "CJK" and (scripts["HIRAGANA"] or scripts["KATAKANA"]):
        return "ja"
    if script in _SCRIPTS:
        return _SCRIPTS[script]
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.casefold())
    scores = {language: sum(word in known for word in words) for language, known in _WORDS.items()}
    for char in letters:
        if char in _LETTERS:
            scores[_LETTERS[char]] += 1
    best = max(scores, key=lambda language: (scores[language], language == otherwise))
    return best if scores[best] > scores.get(otherwise, 0) else otherwise
