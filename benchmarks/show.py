"""
Format results as a table.
"""

from __future__ import annotations

from typing import Any

from .measure import Workload

MISSED = "MISSED"


def show(workload: Workload, results: dict[str, Any]) -> str:
    """
    @return: the results of one workload, with one line per competitor, and the bounds.
    """
    heads = [""]
    for figure in workload.figures:
        heads.append(figure.title)
        if figure.most:
            heads.append("at most")
        for ratio in figure.ratios:
            heads.append(f"x {ratio.title or ratio.to}")
            if ratio.most:
                heads.append("at most")
    rows = [heads] + [_row(workload, name, result) for name, result in results.items()]
    widths = [
        max(len(row[column]) for row in rows if column < len(row))
        for column in range(len(heads))
    ]
    widths[0] = max(28, widths[0])
    lines = [workload.title]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        for head, cell, width in zip(heads[1:], row[1:], widths[1:], strict=False):
            # MISSED follows the number, and the numbers are aligned.
            cells.append(cell.ljust(width) if head == "at most" else cell.rjust(width))
        lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def _row(workload: Workload, name: str, result: Any) -> list[str]:
    if isinstance(result, str):
        return [name, result]
    row = [name]
    for figure in workload.figures:
        known = result[figure.key]
        value = known["value"]
        row.append(f"{value:.{figure.digits}f}")
        if figure.most:
            row.append(_bound(value, known["most"]))
        for ratio in figure.ratios:
            reached = known["ratios"][ratio.to]
            value = reached["ratio"]
            row.append("" if value is None else f"{value:.2f}")
            if ratio.most:
                row.append(_bound(value, reached["most"]))
    return row


def _bound(value: float | None, most: float | None) -> str:
    if most is None:
        return ""
    missed = value is not None and value > most
    return f"{most:7.2f}" + (f" {MISSED}" if missed else "")
