"""Reports of the benchmarks: Markdown sections with tables and plots."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pygal
from pygal.style import Style

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "RESULTS.md"
PLOTS = FOLDER / "plots"
_INTRODUCTION = """# How fast it is

`make bench` wrote this file. Compare times only within a table: its programs took turns in one run. Counts are exact.
"""
_STYLE = Style(
    background="white",
    plot_background="white",
    colors=("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2"),
    font_family="sans-serif",
)
_OPTIONS: dict[str, Any] = {
    "style": _STYLE,
    "js": [],
    "width": 900,
    "legend_at_bottom": True,
    "print_values": False,
}


def put_section(number: int, text: str) -> None:
    """Write a section into RESULTS.md, in order with the sections that it already has."""
    found = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    sections = {int(part.split(".")[0]): part for part in found.split("\n## ")[1:]}
    sections[number] = f"{number}. {text}"
    RESULTS.write_text(
        _INTRODUCTION + "".join(f"\n## {sections[each]}" for each in sorted(sections)), "utf-8"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; all columns but the first are numbers."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def bars(
    name: str,
    title: str,
    values: Mapping[str, float],
    *,
    limit: float = math.inf,
    logarithmic: bool = False,
) -> str:
    """A bar for each value, in another color above the limit; a logarithmic axis starts at a tenth."""
    chart = pygal.HorizontalBar(
        title=title, height=80 + 26 * len(values), **_OPTIONS, show_legend=False, logarithmic=logarithmic
    )
    chart.x_labels = list(values)[::-1]
    chart.value_formatter = lambda value: f"{value:.2f}"
    if logarithmic:
        decades = [10.0**power for power in range(-1, math.ceil(math.log10(max(values.values()))) + 1)]
        chart.zero, chart.range, chart.y_labels = decades[0], (decades[0], decades[-1]), decades
    chart.add(
        None,
        [
            {"value": value, "color": "#ff725c" if value > limit else "#4269d0"}
            for value in list(values.values())[::-1]
        ],
    )
    return _save(chart, name, title)


def lines(
    name: str, title: str, x: Sequence[float], series: Mapping[str, Sequence[float]], *, x_title: str
) -> str:
    """A line for each series, both axes logarithmic."""
    chart = pygal.XY(
        title=title,
        height=420,
        x_title=x_title,
        **_OPTIONS,
        logarithmic=True,
        truncate_legend=-1,
        dots_size=3,
    )
    chart.x_labels = [math.log10(each) for each in x]
    chart.x_value_formatter = lambda value: f"{10**value:,.0f}"
    chart.value_formatter = lambda value: f"{value:,.0f}"
    for label, values in series.items():
        chart.add(label, [(math.log10(a), b) for a, b in zip(x, values, strict=True)])
    return _save(chart, name, title)


def ratio(value: float) -> str:
    return f"{value:.2f} ×"


def machine() -> str:
    return (
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        "and for functions Lambda's 3.13"
    )


def _save(chart: Any, name: str, title: str) -> str:
    PLOTS.mkdir(exist_ok=True)
    chart.render_to_file(str(PLOTS / f"{name}.svg"))
    return f"![{title}](plots/{name}.svg)\n"
