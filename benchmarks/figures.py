"""Tables of figures: what was measured in one run, each series with its least, its middle and its greatest value."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """One row: what was measured, and in which unit."""

    name: str
    unit: str
    values: Sequence[float]
    floor: Series | None = None
    """The same of something bare, measured by turns with this."""
    ratio: bool = False
    """Whether to compare with the floor by division, not by subtraction."""
    goal: str = ""

    @property
    def middle(self) -> float:
        """The median."""
        return statistics.median(self.values)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(title: str, rows: Sequence[Series]) -> None:
    """Print a table and the load that the machine was under."""
    head = ("", "n", "min", "median", "p95", "max", "unit", "floor", "over", "goal")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    out = sys.stdout
    out.write(f"\n{title}\n")
    for line in cells:
        name, *numbers = line
        aligned = (text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True))
        out.write("  ".join([name.ljust(widths[0]), *aligned]).rstrip() + "\n")
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    out.write(f"{os.cpu_count()} cores, load {load}, Python {platform.python_version()}, {platform.system()}\n")
    out.flush()


def _cells(row: Series) -> tuple[str, ...]:
    if not row.values:
        return (row.name, "0", "", "", "", "", row.unit, "", "", row.goal)
    figures = (min(row.values), row.middle, quantile(row.values, 0.95), max(row.values))
    floor = over = ""
    if row.floor and row.floor.values:
        floor = _number(row.floor.middle)
        over = f"{row.middle / row.floor.middle:.2f} x" if row.ratio else f"{row.middle - row.floor.middle:+.1f}"
    return (row.name, str(len(row.values)), *map(_number, figures), row.unit, floor, over, row.goal)


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def arguments(doc: str | None, **defaults: float | str) -> dict[str, float | str]:
    """What the command line says for each name, in the type of its default."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n", 1)[0])
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help="default: %(default)s")
    return vars(parser.parse_args())
