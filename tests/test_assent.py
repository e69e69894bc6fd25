"""What counts as assent in the languages that people speak, and what does not."""

from __future__ import annotations

import pytest

from realtime_cli.conversation.assent import ASSENT, is_assent, words_in

SAID = {
    "ar": ("نعم، صحيح.", "طيب!", "لا، انتظر."),
    "de": ("Ja, genau.", "Ach so!", "Nein, warte mal."),
    "en": ("Uh-huh, I see.", "Mm-hm.", "No, wait."),
    "es": ("Sí, de acuerdo.", "¡Claro!", "No, espera."),
    "fa": ("آره، درسته", "خب.", "نه، صبر کن"),
    "fr": ("Oui, d’accord.", "Tout à fait.", "Non, attends."),
    "hi": ("हाँ, ठीक है।", "अच्छा!", "नहीं, रुको।"),
    "id": ("Ya, betul.", "Oke.", "Tidak, tunggu."),
    "it": ("Sì, certo.", "Capito.", "No, aspetta."),
    "ja": ("はい、そうですね。", "うんうん", "いいえ、待って。"),
    "ko": ("네, 맞아요.", "그렇군요.", "아니, 잠깐만요."),
    "nl": ("Ja, precies.", "Oké.", "Nee, wacht even."),
    "pl": ("Tak, jasne.", "Rozumiem.", "Nie, poczekaj."),
    "pt": ("Sim, é verdade.", "Tá bom.", "Não, espera."),
    "ru": ("Да, понятно.", "Угу.", "Нет, подожди."),
    "sv": ("Ja, precis.", "Jaha.", "Nej, vänta."),
    "tr": ("Evet, doğru.", "Tamam.", "Hayır, bekle."),
    "uk": ("Так, зрозуміло.", "Угу.", "Ні, зачекай."),
    "vi": ("Vâng.", "Đúng rồi.", "Không, chờ đã."),
    "zh": ("嗯，对对，好的。", "明白", "不，等一下。"),
}


def test_every_language_of_the_table_has_its_example() -> None:
    assert set(SAID) == set(ASSENT)


@pytest.mark.parametrize("language", ASSENT)
def test_assent_is_known_in_its_language_and_where_the_language_is_not_known_and_objections_are_none(
    language: str,
) -> None:
    first, second, objection = SAID[language]
    for languages in ((language,), (), (f"{language}-XX", "en"), ("xx",)):
        assert is_assent(first, languages), first
        assert is_assent(second, languages), second
        assert not is_assent(objection, languages), objection


def test_words_of_another_language_than_the_one_that_is_spoken_are_no_assent() -> None:
    assert not is_assent("Tak.", ("en",))
    assert is_assent("Tak.", ("en", "pl"))


@pytest.mark.parametrize("drawn_out", ["Hmmmm...", "Yeahhh.", "MMMM", "ooooh", "¡Sííííí!"])
def test_a_word_may_be_drawn_out(drawn_out: str) -> None:
    assert is_assent(drawn_out)


@pytest.mark.parametrize("noise", ["", " ", "...", "—", "[?]"])
def test_no_words_are_a_noise(noise: str) -> None:
    assert is_assent(noise)


def test_every_word_of_the_table_is_written_as_it_is_compared() -> None:
    for words in ASSENT.values():
        assert " ".join(words_in(words)) in {words, words.replace("-", " ")}
