"""Profiles for people: what config.toml may say, which of all sources counts, and what is shown of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from realtime_cli.errors import ConfigError, InputError
from realtime_cli.providers.profiles import Provider
from realtime_cli.providers.user import NAMES, known_providers
from realtime_cli.settings.config_file import ConfigFile, read_config_file
from realtime_cli.settings.fields import fields
from realtime_cli.settings.settings import Environment
from realtime_cli.settings.sources import look_up, resolve
from realtime_cli.tools.mcp_targets import mcp_target
from tests import scripts
from tests.running import KEY, ROOT, lines_of, run
from tests.scripted_server import ScriptedServer


def written(folder: Path, text: str) -> ConfigFile:
    """The config file with this text."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return read_config_file(path)


def refused(folder: Path, text: str) -> str:
    """What is said about a config file that cannot be used: one line, which names the file."""
    with pytest.raises(ConfigError) as caught:
        look_up({}, Environment({}, None, written(folder, text)))
    assert str(folder / "config.toml") in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_flag_goes_before_the_environment_then_dotenv_then_the_profile_then_the_files_defaults(
    tmp_path: Path,
) -> None:
    file = written(
        tmp_path,
        """
        [defaults]
        profile = "work"
        voice = "e"
        model = "e"
        language = "e"
        mic = "e"
        speaker = "e"
        [profiles.work]
        voice = "d"
        model = "d"
        language = "d"
        mic = "d"
        """,
    )
    environment = Environment(
        {"REALTIME_CLI_VOICE": "b", "OPENAI_REALTIME_MODEL": "b"},
        {"REALTIME_CLI_VOICE": "c", "OPENAI_REALTIME_MODEL": "c", "REALTIME_CLI_LANGUAGE": "c"},
        file,
    )
    settings = resolve({"voice": "a"}, environment)
    chosen = (settings.voice, settings.model, settings.language, settings.mic, settings.speaker, settings.vad)
    assert chosen == ("a", "b", "c", "d", "e", "server")
    found = look_up({"voice": "a"}, environment)
    assert [(found[name].source, found[name].where) for name in ("voice", "model", "language", "mic", "speaker")] == [
        ("flag", "--voice"),
        ("environment", "OPENAI_REALTIME_MODEL"),
        (".env", "REALTIME_CLI_LANGUAGE in .env"),
        ("profile", "[profiles.work]"),
        ("defaults", "[defaults]"),
    ]


def test_a_profile_may_hold_any_flag_in_the_flags_own_spelling_or_the_variables(tmp_path: Path) -> None:
    lines = ["silence-ms = 300", "prefix_padding_ms = 0", "mic = 3", "speed = 1", 'max-output-tokens = "inf"']
    settings = resolve({"profile": "p"}, Environment({}, None, written(tmp_path, "\n".join(["[profiles.p]", *lines]))))
    assert (settings.silence_ms, settings.prefix_padding_ms, settings.mic) == (300, 0, "3")
    assert (settings.speed, settings.max_output_tokens) == (1.0, "inf")
    for field in fields():
        if field.name != "profile":
            written(tmp_path, f"[profiles.p]\n{field.flag[2:]} = 1").profiles["p"].check_names(
                {each.name for each in fields()}
            )


def test_a_file_named_with_an_at_sign_is_looked_for_beside_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text("Be brief.")
    file = written(tmp_path, '[profiles.p]\ninstructions = "@guide.md"')
    assert resolve({"profile": "p"}, Environment({}, None, file)).instructions == "Be brief."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[profiles.work]\nvoise = 'x'", ["[profiles.work]", "voise", "did you mean voice?"]),
        ("[profiles.work]\nprofile = 'x'", ["[profiles.work]", "profile"]),
        ("[defaults]\nsilense-ms = 1", ["[defaults]", "silense_ms", "did you mean silence_ms?"]),
        ("[profile.work]\nvoice = 'x'", ["[profile]", "did you mean profiles?"]),
        ("voice = 'x'", ["voice stands outside", "write [defaults]"]),
        ("stats = true", ["stats stands outside", "write [defaults]"]),
        ("[default]", ["[default]", "did you mean defaults?"]),
        ("[defaults]\nsilence-ms = 1\nsilence_ms = 2", ["silence_ms twice"]),
        ("[trust]\nfolders = 'x'", ["folders in [trust]"]),
        ("[trust]\nfolders = ['x']", ["no whole path"]),
        ("profiles = 3", ["[profiles]", "table"]),
        ("[profiles]\nwork = 3", ["[profiles.work]", "table"]),
        ("[defaults]\nvoice = \n", ["not valid TOML", "line 2"]),
        ("[defaults]\n[defaults]\n", ["not valid TOML", "line 2"]),
    ],
)
def test_a_mistake_in_the_file_is_named_in_one_line(tmp_path: Path, text: str, words: list[str]) -> None:
    said = refused(tmp_path, text)
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("name", ["api_key", "OPENAI_API_KEY", "client_secret", "token", "password"])
@pytest.mark.parametrize("head", ["defaults", "profiles.work", "providers.mine"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, head: str, name: str) -> None:
    said = refused(tmp_path, f'[{head}]\n{name} = "hunter2-hunter2"')
    assert name in said
    assert ".env" in said
    assert "hunter2" not in said


def test_a_file_that_is_no_text_or_no_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"[defaults]\nvoice = '\xe9'\n")
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(line 2\)"):
        read_config_file(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        read_config_file(path)
    assert read_config_file(tmp_path / "nowhere" / "config.toml").profiles == {}


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[defaults]\nvoice = 'ash'\n")
    assert resolve({}, Environment({}, None, read_config_file(tmp_path / "config.toml"))).voice == "ash"


def test_a_bad_value_is_named_with_its_table_and_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[profiles.p]\nspeed = 9\n[profiles.q]\nvad = ['off']")
    with pytest.raises(InputError, match=r"speed in \[profiles.p\] of .*config.toml"):
        resolve({"profile": "p"}, Environment({}, None, file))
    with pytest.raises(InputError, match=r"vad in \[profiles.q\] of .*config.toml"):
        resolve({"profile": "q"}, Environment({}, None, file))
    assert resolve({}, Environment({}, None, file)).speed is None


def test_the_example_can_be_used_as_it_is() -> None:
    file = read_config_file(ROOT / "examples" / "config.toml")
    for profile in file.profiles:
        resolve({"profile": profile}, Environment({}, None, file))
    described = known_providers(file)["box"]
    assert set(file.providers["box"].values) | {
        "base_url_variable",
        "model_variable",
        "model_needed",
        "says_intent",
    } == set(NAMES)
    assert mcp_target("tickets", Environment({"TICKETS_TOKEN": "x"}, None, file)).key == "x"
    assert mcp_target("notes", Environment({"NOTES_TOKEN": "x"}, None, file)).variables == {"NOTES_TOKEN": "x"}
    commented_defaults = Provider(name="box", title="", key_variable="", model="", transcription_model=None)
    for name in ("key_needed", "auth", "dialect", "beta_header", "can_cancel", "can_truncate", "input_rate_hz"):
        assert getattr(described, name) == getattr(commented_defaults, name)


@pytest.mark.parametrize(
    ("table", "flags", "values"),
    [
        ("provider = 'azure'", {"local": True}, {"provider": "local", "local": True}),
        ("local = true", {"provider": "openai"}, {"provider": "openai", "local": False}),
        ("local = true", {}, {"provider": "local"}),
        ("plain = true", {"json": True}, {"json": True, "plain": False}),
        ("plain = true", {"json": False}, {"json": False, "plain": True}),
        ("stats = true", {"stats": False}, {"stats": False}),
    ],
)
def test_of_settings_that_exclude_each_other_the_one_said_nearer_counts(
    tmp_path: Path, table: str, flags: dict[str, Any], values: dict[str, Any]
) -> None:
    settings = resolve(flags, Environment({}, None, written(tmp_path, f"[defaults]\n{table}")))
    assert {name: getattr(settings, name) for name in values} == values


def test_two_that_exclude_each_other_in_one_place_stay_for_the_user_to_mend(tmp_path: Path) -> None:
    file = written(tmp_path, "[defaults]\nlocal = true\nprovider = 'openai'\nplain = true\njson = true")
    with pytest.raises(InputError, match="contradict"):
        resolve({}, Environment({}, None, file))
    settings = resolve({"provider": "openai"}, Environment({}, None, file))
    assert (settings.plain, settings.json) == (True, True)


def test_a_profile_reaches_the_server(tmp_path: Path) -> None:
    with ScriptedServer(scripts.text_turns("Fine.")) as server:
        written(tmp_path, f'[profiles.work]\nbase-url = "{server.url}"\ninstructions = "Be brief."\nquiet = true')
        folder = {"REALTIME_CLI_CONFIG_DIR": str(tmp_path)}
        done = run("say", "hello", "--profile", "work", **folder)
        again = run("say", "hello", REALTIME_CLI_PROFILE="work", **folder)
    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    assert [event["session"]["instructions"] for event in server.of_type("session.update")] == ["Be brief."] * 2


def test_what_a_profile_switches_on_a_flag_switches_off(tmp_path: Path) -> None:
    with ScriptedServer(scripts.text_turns("Fine.")) as server:
        written(tmp_path, f'[defaults]\nbase-url = "{server.url}"\njson = true')
        done = run("say", "hello", "--no-json", REALTIME_CLI_CONFIG_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "Fine.\n")


def test_an_unknown_profile_is_exit_3_and_names_the_known_ones(tmp_path: Path) -> None:
    written(tmp_path, "[profiles.home]\n[profiles.work]\n")
    done = run("say", "hello", "--profile", "wrok", REALTIME_CLI_CONFIG_DIR=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "home, work" in done.stderr
    nothing = run("say", "hello", "--profile", "work", REALTIME_CLI_CONFIG_DIR=str(tmp_path / "empty"))
    assert nothing.returncode == 3
    assert "[profiles.work]" in nothing.stderr


def test_a_broken_file_is_exit_3_in_every_command(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[defaults\n")
    for arguments in (["say", "hello"], ["devices"], ["config", "show"]):
        done = run(*arguments, REALTIME_CLI_CONFIG_DIR=str(tmp_path))
        assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
        assert "line 1" in done.stderr


def test_config_show_says_where_each_value_comes_from(tmp_path: Path) -> None:
    written(tmp_path, '[defaults]\nmic = "none"\n[profiles.work]\nvoice = "marin"\ninstructions = "one\\ntwo"')
    (tmp_path / ".env").write_text("REALTIME_CLI_SPEED=1.2\n")
    variables = {"REALTIME_CLI_CONFIG_DIR": str(tmp_path), "REALTIME_CLI_LANGUAGE": "de"}
    done = run("config", "show", "--profile", "work", "--model", "m", cwd=tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    shown = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert str(tmp_path / "config.toml") in done.stdout
    assert shown["model"] == ["m", "--model"]
    assert shown["language"] == ["de", "REALTIME_CLI_LANGUAGE"]
    assert shown["speed"] == ["1.2", "REALTIME_CLI_SPEED", "in", ".env"]
    assert shown["voice"] == ["marin", "[profiles.work]"]
    assert shown["instructions"] == ["one", "two", "[profiles.work]"]
    assert shown["mic"] == ["none", "[defaults]"]
    assert shown["vad"] == ["server", "default"]
    assert set(shown) >= {field.name for field in fields()}


def test_config_show_in_json_is_one_object_a_line(tmp_path: Path) -> None:
    written(tmp_path, '[profiles.work]\nvoice = "marin"\n[providers.mine]\nbase_url = "host:1"\n')
    rows = lines_of(run("config", "show", "--json", "--profile", "work", REALTIME_CLI_CONFIG_DIR=str(tmp_path)))
    assert rows[0] == {
        "type": "file",
        "path": str(tmp_path / "config.toml"),
        "exists": True,
        "profiles": ["work"],
        "providers": ["mine"],
        "mcp": [],
        "dotenv": None,
        "dotenv_trusted": False,
    }
    settings = {row["name"]: row for row in rows if row["type"] == "setting"}
    assert set(settings) == {field.name for field in fields()}
    assert settings["voice"] == {
        "type": "setting",
        "name": "voice",
        "value": "marin",
        "source": "profile",
        "where": "[profiles.work]",
    }


def test_settings_with_several_values_are_a_list_in_the_file_and_hide_what_may_be_a_secret(tmp_path: Path) -> None:
    written(
        tmp_path,
        """
        [profiles.p]
        tools = ["tools.py", "/elsewhere/more.py"]
        mcp = ["npx -y @scope/server", "https://me:hunter2@host/mcp?key=hunter3", "uvx server --token hunter4"]
        """,
    )
    folder = {"REALTIME_CLI_CONFIG_DIR": str(tmp_path)}
    done = run("config", "show", "--json", "--profile", "p", **folder)
    values = {row["name"]: row["value"] for row in lines_of(done)[1:] if row["type"] == "setting"}
    assert values["tools"] == [str(tmp_path / "tools.py"), "/elsewhere/more.py"]
    hidden = ["https://[hidden]@host/mcp?[hidden]", "uvx server --token [hidden]"]
    assert values["mcp"] == ["npx -y @scope/server", *hidden]
    shown = run("config", "show", "--profile", "p", "--mcp", "uvx x", **folder).stdout
    assert [line.split() for line in shown.splitlines() if line.startswith("mcp ")] == [["mcp", "uvx", "x", "--mcp"]]


def test_config_show_says_whether_a_key_is_set_and_never_what_it_is(tmp_path: Path) -> None:
    written(tmp_path, '[providers.mine]\nbase_url = "host:1"\nkey_variable = "MINE_API_KEY"\n')
    (tmp_path / ".env").write_text(f"MINE_API_KEY={KEY}\n")
    variables = {
        "REALTIME_CLI_CONFIG_DIR": str(tmp_path),
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"https://host/v1?api_key={KEY}",
        "AZURE_OPENAI_ENDPOINT": "https://me:hunter2@host",
        "REALTIME_CLI_BASE_URL": "https://me:hunter2@host/v1?token=hunter3",
        "REALTIME_CLI_INSTRUCTIONS": f"Say {KEY}.",
    }
    for form in ([], ["--json"]):
        done = run("config", "show", *form, cwd=tmp_path, **variables)
        assert done.returncode == 0, done.stderr
        for secret in ("SECRET", "hunter"):
            assert secret not in done.stdout
    rows = {row["name"]: row for row in lines_of(done) if "name" in row}
    assert rows["OPENAI_API_KEY"] == {
        "type": "key",
        "name": "OPENAI_API_KEY",
        "set": True,
        "source": "environment",
        "where": "OPENAI_API_KEY",
    }
    assert (rows["MINE_API_KEY"]["set"], rows["MINE_API_KEY"]["source"]) == (True, ".env")
    assert rows["XAI_API_KEY"]["set"] is False
    assert rows["OPENAI_BASE_URL"]["value"] == "https://host/v1?[hidden]"


def test_without_a_file_nothing_is_loaded_to_read_it() -> None:
    program = (
        "import sys\n"
        "from realtime_cli.settings.environment import load_environment\n"
        "load_environment()\n"
        "sys.exit('tomllib was loaded' if 'tomllib' in sys.modules else 0)"
    )
    variables = {**os.environ, "REALTIME_CLI_CONFIG_DIR": json.dumps("nowhere")}
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, env=variables)
    assert done.returncode == 0, done.stderr.decode()
