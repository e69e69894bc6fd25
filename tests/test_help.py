"""What the program says of itself: readable at 80 columns, true, and quickly there."""

from __future__ import annotations

import inspect
import re
import shlex
from importlib import import_module

import pytest

from realtime_cli.cli.command import Command
from realtime_cli.cli.commands import COMMANDS
from realtime_cli.cli.options import taken
from realtime_cli.settings.fields import fields
from tests.running import run

EVERY = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
COLUMNS = 80


def listed(command: Command) -> set[str]:
    """The flags of settings that the command's help shows."""
    return {field.flag for field in taken(command) if not command.listed or field.name in command.listed}


@EVERY
def test_help_at_80_columns_names_every_option_in_full_and_no_line_is_longer(command: Command) -> None:
    done = run(*command.name.split(), "--help", COLUMNS=str(COLUMNS))
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= COLUMNS
    assert "…" not in done.stdout
    shown = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", done.stdout, re.MULTILINE))
    flags = {field.flag for field in fields()}
    assert shown & flags == listed(command)
    assert "--help" in shown


@EVERY
def test_a_command_says_what_it_does_by_examples_that_it_takes(command: Command) -> None:
    known = {field.flag for field in taken(command)} | {field.short for field in taken(command)}
    declared = [own.annotation.__metadata__[0] for own in command.own]
    # What typer calls the default is the first name, where the declaration is an annotation.
    known |= {name for each in declared for name in (each.default, *(each.param_decls or ()))}
    known |= {f"--{own.name}" for own in command.own}
    assert 1 <= len(command.examples) <= 3
    for example in command.examples:
        words = shlex.split(example)
        assert command.name.split() == words[: len(command.name.split())] or f"realtime-cli {command.name}" in example
        options = [word for word in words if re.match(r"--?[a-zA-Z]", word)]
        assert set(options) <= known, example


@EVERY
def test_a_commands_own_parameters_are_those_of_the_function_that_runs_it(command: Command) -> None:
    module, name = command.function
    taken_by = list(inspect.signature(getattr(import_module(f"realtime_cli.cli.{module}"), name)).parameters)[2:]
    assert sorted(taken_by) == sorted([own.name for own in command.own] + ["flags"] * command.takes_flags)


def test_a_place_in_brackets_is_not_taken_for_markup() -> None:
    assert "Settings from [profiles.NAME] of config.toml" in run("chat", "--help").stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_help_is_printed_in_any_encoding(encoding: str) -> None:
    done = run("chat", "--help", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--max-output-tokens" in done.stdout


def test_the_doctor_lists_what_concerns_it_and_takes_the_rest_of_a_chats_options() -> None:
    words = run("doctor", "--help").stdout
    assert words.count("\n") < 50
    assert "--eagerness" not in words
    assert "--eagerness" in {field.flag for field in taken(next(each for each in COMMANDS if each.name == "doctor"))}


@pytest.mark.parametrize("words", [("chat",), ("config", "show"), ()])
def test_help_is_a_command_too(words: tuple[str, ...]) -> None:
    assert run("help", *words).stdout == run(*words, "--help").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("say", "hello", "--no-such"), "realtime-cli: no such option: --no-such"),
        (("chta",), "Did you mean 'chat'?"),
        (("help", "chta"), "Did you mean 'chat'?"),
        (("ask",), "missing argument 'FILE...'"),
        (("token", "--expires-in", "soon"), "'soon' is not a valid"),
    ],
)
def test_a_command_line_that_is_not_understood_is_one_line_and_exit_2(words: tuple[str, ...], told: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr
