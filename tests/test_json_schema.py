"""The published schema of ``--json``: it is up to date, every type in it is in the README, and real lines obey it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from docs.json_schema import PATH, schema
from tests import scripts
from tests.running import ROOT, lines_of, run
from tests.scripted_server import ScriptedServer
from tests.tool_scripts import Call, calling

QUESTION = str(ROOT / "examples" / "question.wav")


def test_the_schema_in_the_repository_is_that_of_the_records() -> None:
    assert json.loads(PATH.read_text(encoding="utf-8")) == schema(), "run python -m docs.json_schema"


def test_the_readme_names_every_type() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme[readme.index("| type | fields |") : readme.index("| exit code |")]
    named = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines() if row.count("|") > 2)))
    assert named == {kind for body in schema()["$defs"].values() for kind in body["properties"]["type"]["enum"]}


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (scripts.text_turns("One."), ("say", "hello")),
        (calling(Call("list_files")), ("say", "hello", "--tools", str(ROOT / "examples" / "folder_tools.py"))),
        (scripts.failed_response(), ("say", "hello")),
        (scripts.voice_turns(), ("chat", "--mic", QUESTION, "--speaker", "none")),
        (scripts.error_then_close("invalid_api_key", 3000), ("say", "hello")),
    ],
)
def test_every_line_of_a_real_conversation_obeys_the_schema(
    script: scripts.Script, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    with ScriptedServer(script) as server:
        done = run(*arguments, "--json", "--base-url", server.url, cwd=tmp_path)
    lines = lines_of(done)
    assert lines[-1]["type"] == "end"
    validator = jsonschema.Draft202012Validator(schema())
    for line in lines:
        validator.validate(line)
