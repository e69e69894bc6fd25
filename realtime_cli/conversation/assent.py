"""Words by which listeners say that they listen, by language: whoever says no more does not want the floor.

The table is data: what linguists call backchannels and short agreements, written as recognisers write them, in small
letters. A word that objects in another widely spoken language is left out: "no" agrees in Polish.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache

HUMS = "a ah aha ahh eh ehm ha hm hmm huh m mh mhm mm mmhm mmm o oh ooh uh uhhuh uhm um"
"""Sounds that are no words, and much the same everywhere where Latin letters are written."""

ASSENT: Mapping[str, str] = {
    "ar": "اه آه أه إيه ايوه أيوه أيوا نعم طيب تمام صح صحيح حسنا حسناً أكيد اكيد ماشي",
    "de": "ach so achso aha eben echt genau gut ja jaja jo jap klar ok okay prima richtig sicher stimmt super tja",
    "en": "alright cool exactly fine good got great gotcha i it nice ok okay really right see sure true wow yea yeah "
    "yep yes yup",
    "es": "ajá aja bien bueno claro cierto de acuerdo exacto genial ok okay perfecto sí si vale",
    "fa": "آره اره بله درسته آها اها خب باشه اوکی",
    "fr": "ah accord bien bon d exact exactement hein je ok okay ouais oui parfait super tout à fait très vois voilà",
    "hi": "हाँ हां हा जी ठीक है अच्छा सही बिल्कुल ओके हम्म",
    "id": "ya iya ok oke okay baik betul benar oh gitu",
    "it": "ah bene certo capito d accordo esatto giusto già ok okay perfetto sì si va",
    "ja": "うん うんうん ええ はい そう そうそう そうです そうですね ですね ね なるほど へえ へー ふーん "
    "あー ああ おお オーケー",
    "ko": "네 예 응 어 음 아 그래 그래요 그렇죠 그렇군요 맞아 맞아요 좋아 좋아요 오케이",
    "nl": "goed ja jaja jawel juist klopt ok oké okay oke prima precies zeker",
    "pl": "aha dobra dobrze jasne mhm ok okej okay oczywiście pewnie racja rozumiem super tak właśnie",
    "pt": "ah bem bom certo claro é entendi exato isso ok okay pois sim sei tá ta tudo verdade",
    "ru": "ага а да конечно ладно м мм мгм ну о ок окей понятно правильно так точно угу хорошо хм ясно",
    "sv": "bra exakt ja jaha jo just det ok okej okay precis visst",
    "tr": "evet ha hı hıhı hı-hı iyi olur peki tabii tamam doğru anladım ok okey",
    "uk": "ага а авжеж так добре звісно зрозуміло м мм мгм ну о ок окей правильно точно угу хм ясно",
    "vi": "à ờ ừ ừm vâng dạ đúng rồi ok được",
    "zh": "嗯 嗯嗯 嗯哼 对 对对 对对对 對 是 是的 好 好的 好吧 哦 噢 啊 行 没错 沒錯 明白 可以 ok",
}
"""Words with blanks between, by ISO 639-1 code."""

UNSPACED = ("ja", "zh")
"""Languages that put no blanks between words: there several may be written as one."""


def is_assent(text: str, languages: Iterable[str] = ()) -> bool:
    """Whether words say no more than that somebody listens; no words at all are a noise.

    ``languages``: ISO 639-1 codes of what is spoken; without one that is in the table, all languages are.
    """
    known = tuple(sorted({_code(language) for language in languages} & ASSENT.keys())) or tuple(ASSENT)
    words, joined = _words_of(known)
    return all(word in words or _shortened(word) in words or joined.fullmatch(word) for word in words_in(text))


def words_in(text: str) -> list[str]:
    """The words of a text in small letters: what stands between blanks and punctuation marks, accents kept."""
    composed = unicodedata.normalize("NFC", text.casefold())
    return "".join(" " if unicodedata.category(char)[0] in "PSZC" else char for char in composed).split()


def _shortened(word: str) -> str:
    """A word that was drawn out: "hmmmm" is "hmm", "yeahhh" is "yeah"."""
    return re.sub(r"(.)\1{2,}", r"\1", word)


@cache
def _words_of(languages: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str]]:
    """The words of some languages, and what several without a blank between them look like."""
    words = frozenset(words_in(" ".join([HUMS, *(ASSENT[language] for language in languages)])))
    unspaced = [re.escape(word) for name in UNSPACED if name in languages for word in words_in(ASSENT[name])]
    return words, re.compile(f"(?:{'|'.join(unspaced)})+" if unspaced else r"(?!)")


def _code(language: str) -> str:
    """The language of "en-GB" is "en"."""
    return language.casefold().replace("_", "-").partition("-")[0]
