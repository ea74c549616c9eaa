"""
Draw ratios as a bar chart in SVG.

The axis is logarithmic, and the bars begin at 1. So the bars for half and for twice the
time have the same length, in opposite directions. A mark shows the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import log10
from typing import Any

from .measure import OURS, Workload

WIDTH = 760
NAMES = 200
MARGIN = 70
ROW = 20
HEAD = 34
AXIS = 30
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

STYLE = """
text { font: 12px sans-serif; fill: #222 }
.title { font-weight: bold }
.small { font-size: 10px; fill: #666 }
.grid { stroke: #ddd }
.one { stroke: #222 }
.most { stroke: #c0392b; stroke-width: 2 }
.ours { fill: #2c6fbb }
.rival { fill: #aab4be }
"""

#: Name, ratio, and bound.
Bar = tuple[str, float, float | None]


def plot(title: str, workloads: dict[str, Workload], results: dict[str, Any]) -> str:
    """
    @return: an SVG chart of all ratios of these workloads. If a workload has no ratios,
        the chart shows its first figure.
    """
    panels = [
        panel
        for key, workload in workloads.items()
        for panel in _panels(workload, results[key])
    ]
    values = [1.0]
    for _, bars in panels:
        for _, value, most in bars:
            values += [value] if most is None else [value, most]
    low = max((tick for tick in TICKS if tick <= min(values)), default=TICKS[0])
    high = min((tick for tick in TICKS if tick >= max(values)), default=TICKS[-1])
    if low == high:
        high *= 2

    def x(value: float) -> float:
        place = log10(min(max(value, low), high) / low) / log10(high / low)
        return round(NAMES + place * (WIDTH - NAMES - MARGIN), 1)

    parts = [f'<text class="title" x="8" y="18">{escape(title)}</text>']
    y = 26
    for head, bars in panels:
        parts.append(f'<text x="8" y="{y + 22}">{escape(head)}</text>')
        y += HEAD
        bottom = y + ROW * len(bars)
        for tick in TICKS:
            if low <= tick <= high:
                kind = "one" if tick == 1 else "grid"
                parts.append(_line(kind, x(tick), y, bottom + 4))
                parts.append(
                    f'<text class="small" text-anchor="middle" x="{x(tick)}" '
                    f'y="{bottom + 15}">{tick:g}</text>'
                )
        for bar in bars:
            parts += _bar(bar, y, x)
            y += ROW
        y += AXIS
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'viewBox="0 0 {WIDTH} {y}">\n<style>{STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _bar(bar: Bar, y: int, x: Any) -> Iterator[str]:
    name, value, most = bar
    left, right = sorted((x(1), x(value)))
    kind = "ours" if name.startswith(OURS) else "rival"
    yield (
        f'<text text-anchor="end" x="{NAMES - 8}" y="{y + 14}">{escape(name)}</text>'
    )
    yield (
        f'<rect class="{kind}" x="{left}" y="{y + 3}" width="{right - left:.1f}" '
        f'height="{ROW - 6}"/>'
    )
    if most is not None:
        yield _line("most", x(most), y + 1, y + ROW - 1)
    yield (
        f'<text class="small" x="{max(right, x(most or 0)) + 4}" y="{y + 14}">'
        f"{value:.2f}</text>"
    )


def _line(kind: str, x: float, top: int, bottom: int) -> str:
    return f'<line class="{kind}" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'


def _panels(
    workload: Workload, results: dict[str, Any]
) -> Iterator[tuple[str, list[Bar]]]:
    """
    @return: for each group of bars, its title and the bars.
    """
    known = {
        name: result for name, result in results.items() if not isinstance(result, str)
    }
    for figure in workload.figures:
        for ratio in figure.ratios:
            bars = [
                (name, result[figure.key]["ratios"][ratio.to])
                for name, result in known.items()
            ]
            yield (
                f"{workload.title}: {figure.title}, x {ratio.title or ratio.to}",
                [
                    (name, at["ratio"], at["most"])
                    for name, at in bars
                    if at["ratio"] is not None and at["ratio"] > 0
                ],
            )
    if not any(figure.ratios for figure in workload.figures):
        figure = workload.figures[0]
        bars = [(name, result[figure.key]) for name, result in known.items()]
        yield (
            f"{workload.title}: {figure.title}",
            [(name, at["value"], at["most"]) for name, at in bars if at["value"] > 0],
        )
