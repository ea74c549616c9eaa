"""
Draws the diagrams of the explanation::

    $ python docs/diagrams.py

writes the pictures in the folder C{diagrams} beside this file. A page includes the text
of a picture (C{.. raw:: html}), so that its colours are those of the page, light or
dark; a viewer that does not know these colours shows the picture in dark ink. They are
narrow enough to be read on a phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent / "diagrams"

WIDTH = 480

INK = "var(--color-foreground-primary, #222222)"
FAINT = "var(--color-foreground-muted, #6b6f76)"
CALL = "var(--color-brand-content, #2757dd)"
SHADE = "var(--color-background-secondary, #f8f9fb)"
LINE = "var(--color-foreground-border, #878787)"

CODE = 'font-family="var(--font-stack--monospace, monospace)" font-size="13"'
BOLD = 'font-weight="bold"'


def text(
    x: float, y: float, words: str, *, more: str = "", color: str = INK, at: str = ""
) -> str:
    """
    @param words: the text; parts between backquotes are code.
    @param more: attributes of the element.
    @param at: C{"middle"} or C{"end"}, if the text does not start there.

    @return: a line of text.
    """
    parts = escape(words).split("`")
    spans = [f"<tspan {CODE}>{p}</tspan>" if n % 2 else p for n, p in enumerate(parts)]
    anchor = f' text-anchor="{at}"' if at else ""
    return (
        f'<text x="{x}" y="{y}" fill="{color}"{anchor} {more}>{"".join(spans)}</text>'
    )


def box(
    x: float, y: float, width: float, height: float, title: str, *lines: str
) -> Iterator[str]:
    """
    @return: a box with a title and lines of text.
    """
    yield (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" '
        f'fill="{SHADE}" stroke="{LINE}"/>'
    )
    middle = x + width / 2
    first = y + height / 2 + 5 - 9 * len(lines)
    yield text(middle, first, title, at="middle", more=BOLD)
    for number, line in enumerate(lines, 1):
        color = INK if "`" in line else FAINT
        yield text(middle, first + 18 * number, line, at="middle", color=color)


def arrow(*points: tuple[float, float]) -> str:
    """
    @return: a line through some points, with a head at its end.
    """
    path = " L".join(f"{x} {y}" for x, y in points)
    return (
        f'<path d="M{path}" fill="none" stroke="{LINE}" stroke-width="1.5" '
        'marker-end="url(#head)"/>'
    )


def brace(x: float, top: float, bottom: float) -> str:
    """
    @return: a bracket to the right of what it spans.
    """
    return (
        f'<path d="M{x} {top} h8 V{bottom} h-8" fill="none" stroke="{CALL}" '
        'stroke-width="2"/>'
    )


def picture(title: str, height: float, *parts: str) -> str:
    """
    @return: the source of a picture.
    """
    style = f"display: block; margin: 1.5em auto; max-width: {1.15 * WIDTH:g}px"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'role="img" style="{style}" font-size="14" '
            'font-family="var(--font-stack, Helvetica, sans-serif)">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" '
            'markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0 0 L8 4 L0 8 z" fill="{LINE}"/></marker></defs>',
            *parts,
            "</svg>\n",
        ]
    )


def lifecycle() -> str:
    """
    @return: the calls and callbacks of a client, in their order.
    """
    left, right, wide = 10, 315, 155
    middle, beside = left + wide / 2, right + wide / 2
    between = (left + wide + right) / 2
    callbacks = ("serverInput", "serverFlushed", "serverHigh", "serverLow")
    return picture(
        "The life of a client: your calls, and the callbacks",
        664,
        *box(left, 10, wide, 44, "not started"),
        arrow((middle, 54), (middle, 128)),
        text(middle + 12, 84, "`start()`", color=CALL),
        text(middle + 12, 106, "`started`"),
        *box(left, 130, wide, 64, "connecting", "lookup, proxy, TLS"),
        arrow((left + wide, 150), (right - 2, 150)),
        text(between, 142, "`connectError`", at="middle"),
        *box(right, 130, wide, 64, "waiting", "for the next attempt"),
        arrow((right, 178), (left + wide + 2, 178)),
        text(between, 196, "after the delay", at="middle", color=FAINT),
        arrow((middle, 194), (middle, 268)),
        text(middle + 12, 224, "`preConnect`"),
        text(middle + 12, 246, "`connected`"),
        *box(left, 270, wide, 122, "connected", *(f"`{name}`" for name in callbacks)),
        arrow((left + wide, 331), (beside, 331), (beside, 196)),
        text(left + wide + 14, 300, "a loss:", color=FAINT),
        text(left + wide + 14, 321, "`serverError`, `disconnected`"),
        arrow((middle, 392), (middle, 458)),
        text(middle + 12, 430, "`shutdown()`", color=CALL),
        *box(left, 460, wide, 64, "closing", "sends what was put"),
        arrow((middle, 524), (middle, 598)),
        text(middle + 12, 554, "`disconnected`"),
        text(middle + 12, 576, "`stopped`"),
        *box(left, 600, wide, 44, "stopped"),
        arrow((460, 194), (460, 622), (left + wide + 2, 622)),
        text(450, 570, "the policy gives up,", at="end", color=FAINT),
        text(450, 589, "or `shutdown()`", at="end", color=CALL),
        text(450, 612, "`stopped`", at="end"),
    )


def buffers() -> str:
    """
    @return: the path of bytes out and in, through the buffers.
    """
    wide, high, step = 222, 62, 92
    out = (
        ("your program", "`put(record)`"),
        ("framing", "`encode`: record to bytes"),
        ("queue of the client", "`highMark`, `outputLimit`"),
        ("TLS, Twisted's transport", "at most 64 KiB at a time"),
        ("send buffer of the kernel", "Linux: `tcp_wmem`"),
    )
    into = (
        ("your program", "`serverInput(record)`"),
        ("framing", "`decode`: bytes to records"),
        ("buffer of the client", "one record: `maxLength`"),
        ("Twisted's transport, TLS", "reads 64 KiB to 1 MiB"),
        ("receive buffer of the kernel", "Linux: `tcp_rmem`"),
    )
    parts = []
    for x, heading, rows in ((10, "out", out), (248, "in", into)):
        middle = x + wide / 2
        parts.append(text(middle, 20, heading, at="middle", more=BOLD))
        for number, row in enumerate(rows):
            top = 34 + step * number
            parts += box(x, top, wide, high, *row)
            ends = (middle, top + high), (middle, top + step - 2)
            parts.append(arrow(*ends) if rows is out else arrow(*reversed(ends)))
    end = 34 + step * len(out)
    parts += box(10, end, 460, 40, "the network, and the same buffers of the peer")
    title = "The path of bytes out and in, through the buffers"
    return picture(title, end + 50, *parts)


def stack() -> str:
    """
    @return: what C{unsent}, C{unacknowledged} and C{confirmed} mean, on the stack of
        buffers that a byte passes.
    """
    left, wide, high, step = 10, 205, 44, 64
    names = (
        "your program",
        "queue of the client",
        "TLS and Twisted's transport",
        "send buffer of our kernel",
        "the network",
        "buffer of the peer's kernel",
        "the peer's program",
    )
    middle, right = left + wide / 2, left + wide + 12
    parts = [text(middle + 12, 10 + high + 14, "`put`", color=CALL)]
    for number, name in enumerate(names):
        top = 10 + step * number
        parts += box(left, top, wide, high, name)
        if number:
            parts.append(arrow((middle, top - step + high), (middle, top - 2)))
    for first, last, lines in (
        (
            1,
            2,
            ("`unsent`", "At 0, `serverFlushed` is called,", "and `flushed()` fires."),
        ),
        (3, 4, ("`unacknowledged`", "The peer's kernel has not", "acknowledged this.")),
        (
            5,
            5,
            (
                "`confirmed`: everything is here,",
                "and the peer has ended its",
                "side, after ours.",
            ),
        ),
        (6, 6, ("No transport can know what", "the program has read.")),
    ):
        top, bottom = 6 + step * first, 14 + step * last + high
        parts.append(brace(right, top, bottom))
        start = (top + bottom) / 2 + 5 - 19 * (len(lines) - 1) / 2
        for number, line in enumerate(lines):
            parts.append(text(right + 20, start + 19 * number, line))
    title = "unsent, unacknowledged and confirmed, on the stack of buffers"
    return picture(title, 20 + step * 6 + high, *parts)


PICTURES = (lifecycle, buffers, stack)


def main() -> None:
    """
    Write the pictures.
    """
    FOLDER.mkdir(exist_ok=True)
    for make in PICTURES:
        (FOLDER / f"{make.__name__}.svg").write_text(make())


if __name__ == "__main__":
    main()
