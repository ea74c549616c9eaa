"""
Format results as a table.
"""

from __future__ import annotations

from typing import Any

from .measure import Workload

MISSED = "MISSED"

#: The greatest number of characters in a line, so that a table fits into a block of the
#: documentation.
WIDTH = 90


def show(workload: Workload, results: dict[str, Any]) -> str:
    """
    @return: a table of the results of one workload and their bounds, with a line for
        each competitor.
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
    for columns in folded(heads, widths):
        for row in rows:
            if len(row) <= columns[0]:
                # There are no figures: the first group has shown why.
                continue
            cells = [row[0].ljust(widths[0])]
            for column in columns:
                cell = row[column] if column < len(row) else ""
                # Align the numbers, which MISSED may follow.
                isBound = heads[column] == "at most"
                width = widths[column]
                cells.append(cell.ljust(width) if isBound else cell.rjust(width))
            lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def folded(heads: list[str], widths: list[int]) -> list[list[int]]:
    """
    Divide the columns after the first into groups, which are printed one below another.

    @return: one group if all columns fit on a line. Otherwise, each figure begins a
        group, and so does each ratio that does not fit.
    """
    columns = range(1, len(heads))
    if widths[0] + sum(widths[column] + 2 for column in columns) + 2 <= WIDTH:
        return [[*columns]]
    groups: list[list[int]] = []
    used = WIDTH
    for column in columns:
        isBound = heads[column] == "at most"
        hasBound = heads[column + 1 : column + 2] == ["at most"]
        # Keep a bound next to the figure or ratio that it limits.
        needed = widths[column] + 2 + (widths[column + 1] + 2 if hasBound else 0)
        isRatio = heads[column].startswith("x ")
        if not isBound and (not isRatio or used + needed > WIDTH):
            groups.append([])
            used = widths[0] + 2
        groups[-1].append(column)
        used += widths[column] + 2
    return groups


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
