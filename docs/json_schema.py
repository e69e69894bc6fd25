"""Writes ``json-lines.schema.json``: what ``--json`` prints, for programs that read it.

``python -m docs.json_schema`` after a record has changed; a test tells when that was forgotten.
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from realtime_cli.conversation import records as module
from realtime_cli.conversation.records import Record

PATH = Path(__file__).parent / "json-lines.schema.json"

TIME = {"type": "number", "description": "Seconds since the start."}


def schema() -> dict[str, Any]:
    """The schema of one line: one of the records, with its time. Every field is always there, others may be added."""
    records = sorted(Record.__subclasses__(), key=lambda record: record.__name__)
    _, components = msgspec.json.schema_components(records, ref_template="#/$defs/{name}")
    descriptions = _descriptions()
    for record in records:
        body = components[record.__name__]
        kind, *others = body["properties"].items()
        for name, field in others:
            if text := descriptions.get((record.__name__, name)):
                field["description"] = text
            # Nothing is left out of a line, so there is no default to speak of.
            field.pop("default", None)
        # From Python 3.13 on docstrings come without their indentation.
        body["description"] = inspect.cleandoc(body["description"])
        body["properties"] = dict([kind, ("t", TIME), *others])
        body["required"] = list(body["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of realtime-cli chat, say, ask or transcribe with --json",
        "anyOf": [{"$ref": f"#/$defs/{record.__name__}"} for record in records],
        "$defs": components,
    }


def _descriptions() -> dict[tuple[str, str], str]:
    """What the source says below a field."""
    found = {}
    for record in ast.parse(inspect.getsource(module)).body:
        if isinstance(record, ast.ClassDef):
            for field, text in zip(record.body, record.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(text, ast.Expr)
                    and isinstance(field.target, ast.Name)
                ):
                    found[record.name, field.target.id] = inspect.cleandoc(ast.literal_eval(text.value))
    return found


def main() -> None:
    """Write the file."""
    PATH.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
