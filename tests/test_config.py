"""Settings: where a value comes from, and what is said about one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_cli.errors import InputError
from realtime_cli.providers.profiles import PROVIDERS
from realtime_cli.settings.environment import load_environment
from realtime_cli.settings.fields import Field, fields
from realtime_cli.settings.settings import LM_KEY, STT_KEY, TTS_KEY, Environment
from realtime_cli.settings.sources import resolve
from tests.running import lines_of, run

ROOT = Path(__file__).parent.parent


def test_a_flag_goes_before_the_environment_and_that_before_dotenv_and_that_before_the_default() -> None:
    environment = Environment(
        {"REALTIME_CLI_VOICE": "cedar"}, {"REALTIME_CLI_VOICE": "ash", "REALTIME_CLI_SPEED": "1.2"}
    )
    settings = resolve({"voice": "marin"}, environment)
    assert (settings.voice, settings.speed, settings.vad) == ("marin", 1.2, "server")
    assert resolve({}, environment).voice == "cedar"


def test_an_empty_variable_counts_as_absent() -> None:
    environment = Environment({"REALTIME_CLI_VOICE": ""}, {"REALTIME_CLI_VOICE": "ash"})
    assert resolve({}, environment).voice == "ash"


@pytest.mark.parametrize(
    ("flags", "variables", "named"),
    [
        ({"vad_threshold": "3"}, {}, "--vad-threshold"),
        ({"vad": "loud"}, {}, "--vad"),
        ({"speed": "fast"}, {}, "--speed"),
        ({"max_output_tokens": "many"}, {}, "--max-output-tokens"),
        ({}, {"REALTIME_CLI_SILENCE_MS": "-1"}, "REALTIME_CLI_SILENCE_MS"),
        ({}, {"REALTIME_CLI_PTT": "perhaps"}, "REALTIME_CLI_PTT"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_where_it_came_from(
    flags: dict[str, str], variables: dict[str, str], named: str
) -> None:
    with pytest.raises(InputError, match=named) as caught:
        resolve(flags, Environment(variables))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("vad", "loud", "one of server, semantic, off"),
        ("silence_ms", "x", "a whole number from 0 to 60000"),
        ("speed", "9", "a number from 0.25 to 1.5"),
        ("tool_timeout", "0", "a number above 0 to 3600"),
        ("max_turns", "1.5", "a whole number from 1 up"),
        ("max_output_tokens", "many", "a whole number or inf"),
        ("ptt", "perhaps", "yes or no"),
    ],
)
def test_what_a_setting_takes_is_said_in_words(name: str, value: str, allowed: str) -> None:
    with pytest.raises(InputError, match=f"it takes {allowed}$"):
        resolve({}, Environment({f"REALTIME_CLI_{name.upper()}": value}))


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.name)
def test_every_setting_can_say_what_it_takes(field: Field) -> None:
    assert not set(field.allowed) & set("[]|<>`")
    assert field.allowed


@pytest.mark.parametrize(
    ("value", "means"),
    [("yes", True), ("on", True), ("True", True), ("1", True), ("no", False), ("OFF", False), ("0", False)],
)
def test_yes_and_no_may_be_written_as_people_do(value: str, means: bool) -> None:
    assert resolve({}, Environment({"REALTIME_CLI_STATS": value})).stats is means


def test_a_line_of_dotenv_that_says_nothing_is_named_and_the_others_count(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REALTIME_CLI_VOICE=ash\nsecret words of mine\nexport REALTIME_CLI_SPEED=1.2\n")
    done = run("config", "show", "--json", cwd=tmp_path)
    assert done.stderr == f"realtime-cli: passed over in {tmp_path / '.env'}, as it is not NAME=VALUE: line 2\n"
    shown = {line["name"]: line["value"] for line in lines_of(done) if line["type"] == "setting"}
    assert (shown["voice"], shown["speed"]) == ("ash", 1.2)


def test_a_dotenv_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"REALTIME_CLI_VOICE=\xff")
    done = run("config", "show", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{tmp_path / '.env'} is not UTF-8 text" in done.stderr


def test_a_limit_of_tokens_is_a_number_or_inf() -> None:
    assert resolve({"max_output_tokens": "100"}, Environment({})).max_output_tokens == 100
    assert resolve({"max_output_tokens": "inf"}, Environment({})).max_output_tokens == "inf"


def test_local_is_short_for_the_local_provider_and_contradicts_another() -> None:
    assert resolve({"local": True}, Environment({})).provider == "local"
    with pytest.raises(InputError, match="contradict"):
        resolve({"local": True, "provider": "openai"}, Environment({}))


@pytest.mark.parametrize("said", [{"REALTIME_CLI_LOCAL": "yes"}, {"REALTIME_CLI_PROVIDER": "local"}])
def test_an_address_on_the_command_line_goes_before_a_variable_that_says_local(said: dict[str, str]) -> None:
    assert resolve({"base_url": "ws://box/v1"}, Environment(said)).provider == "auto"
    both = {**said, "REALTIME_CLI_BASE_URL": "ws://box/v1"}
    assert resolve({}, Environment(both)).provider == "local"
    assert resolve({"local": True}, Environment(both)).provider == "local"


def test_instructions_with_an_at_sign_are_read_from_the_file(tmp_path: Path) -> None:
    guide = tmp_path / "guide.md"
    guide.write_text("Be brief. Ünïcode too.", encoding="utf-8")
    assert resolve({"instructions": f"@{guide}"}, Environment({})).instructions == "Be brief. Ünïcode too."
    with pytest.raises(InputError, match="No such file"):
        resolve({"instructions": "@nowhere.md"}, Environment({}))


def test_dotenv_is_found_in_a_parent_and_the_real_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("REALTIME_CLI_VOICE=ash\nREALTIME_CLI_MODEL=x\nOPENAI_REALTIME_MODEL=m\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.setenv("REALTIME_CLI_VOICE", "cedar")
    environment = load_environment(below)
    settings = resolve({}, environment)
    assert (settings.voice, settings.model) == ("cedar", "m")
    assert environment.origin("REALTIME_CLI_VOICE") == "REALTIME_CLI_VOICE"
    assert environment.origin("OPENAI_REALTIME_MODEL") == "OPENAI_REALTIME_MODEL in .env"


def test_the_example_file_lists_every_variable_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    listed = {line.removeprefix("#").split("=")[0].strip() for line in lines if "=" in line}
    wanted = {field.variable for field in fields()}
    for provider in PROVIDERS.values():
        wanted |= {provider.key_variable, provider.base_url_variable, provider.model_variable} - {""}
    wanted |= {
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "OPENAI_API_VERSION",
        "REALTIME_CLI_CACHE_DIR",
        "REALTIME_CLI_CONFIG_DIR",
        "REALTIME_CLI_SERVE_TOKEN",
        "REALTIME_CLI_DATA_DIR",
        *(LM_KEY, STT_KEY, TTS_KEY),
    }
    assert listed == wanted
