"""``serve --list-engines``: a table, or one JSON object a line."""

from __future__ import annotations

import sys

import msgspec

from realtime_cli.printable import json_line
from realtime_cli.server.engines.listing import list_engines


def show_engines(*, as_json: bool) -> None:
    """Print on stdout which engines there are. Blocks for 0.1 s at most."""
    engines = list_engines()
    if as_json:
        for engine in engines:
            sys.stdout.write(json_line({"type": "engine", **msgspec.to_builtins(engine)}) + "\n")
        return
    # rich: for people only.
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("work", "engine", "here", "needs", "how to get or use it"):
        table.add_column(title, overflow="fold")
    for engine in engines:
        table.add_row(engine.work, engine.name, "yes" if engine.here else "no", engine.needs, engine.get)
    Console(markup=False, highlight=False).print(table)
