"""What is said of what is written, and in which language it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.server.engines.spoken_text import SpokenText, is_sayable
from realtime_cli.server.engines.text_language import language_of


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("## News of the day", "News of the day"),
        ("- **First**, do *this*.", "First, do this."),
        ("> Quoted `code` words", "Quoted code words"),
        ("See [the manual](https://example.org/a?b=c).", "See the manual."),
        ("Look at https://www.example.org/a/b.html.", "Look at example dot org."),
        ("Write to ada.byron@example.org.", "Write to ada dot byron at example dot org."),
        ("Well done 🎉!", "Well done !"),
        ("It costs $5.", "It costs 5 dollars."),
        ("It costs €12.50 or £1.", "It costs 12 euros and 50 cents or 1 pound."),
        ("At 10:30, or 7:05 pm, or 12:00.", "At 10 30, or 7 oh 5 P M, or 12 o clock."),
        (
            "Dr. Smith, e.g. at 20 °C & 5 km/h",
            "Doctor Smith, for example at 20 degrees Celsius and 5 kilometres an hour",
        ),
        ("About 1,234,567 people, 40%.", "About 1234567 people, 40 percent."),
        ("2 + 2 = 4", "2 plus 2 equals 4"),
        ("my_long_name", "my long name"),
        ("Water is H<sub>2</sub>O.", "Water is H2O."),
        ("---", ""),
    ],
)
def test_marks_are_left_out_and_signs_become_words(written: str, said: str) -> None:
    assert SpokenText().say(written).strip() == said


def test_of_code_and_of_a_table_it_is_said_that_there_is_one() -> None:
    spoken = SpokenText()
    written = [
        "Try this:\n",
        "```python\n",
        "print(1)\n",
        "```\n",
        "| a | b |\n",
        "|---|---|\n",
        "| 1 | 2 |\n",
        "Done.",
    ]
    said = [spoken.say(piece).strip() for piece in written]
    assert said == ["Try this:", "Here comes some code.", "", "", "Here comes a table.", "", "", "Done."]


def test_signs_stay_signs_in_other_languages() -> None:
    assert SpokenText().say("Das sind 40 % **mehr**.", "de") == "Das sind 40 % mehr."


@given(st.text(max_size=300))
def test_whatever_is_written_something_can_be_done_with_it(written: str) -> None:
    said = SpokenText().say(written)
    assert "**" not in said or "**" in written
    assert is_sayable(said) in (True, False)
    assert language_of(written)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The weather is nice today.", "en"),
        ("Paris.", "en"),
        ("Das Wetter ist heute schön.", "de"),
        ("Il fait beau aujourd'hui et je suis content.", "fr"),
        ("Mañana quiero ir a la playa.", "es"),
        ("Oggi il tempo è molto bello.", "it"),
        ("O tempo não é muito bom para nadar.", "pt"),
        ("Het weer is vandaag niet goed.", "nl"),
        ("Dzisiaj jest ładna pogoda.", "pl"),
        ("Сегодня хорошая погода.", "ru"),
        ("今日はいい天気です。", "ja"),
        ("今天天气很好。", "zh"),
        ("오늘 날씨가 좋아요.", "ko"),
        ("Καλημέρα σας.", "el"),
        ("12345", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_sentence_is_told(text: str, language: str) -> None:
    assert language_of(text) == language
