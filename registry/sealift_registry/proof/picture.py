"""The proof as a picture: how far answers lie apart beside what is allowed, and rows by kind.

The same report makes the same bytes. It shows counts and names, and no value of any row.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log10
from xml.sax.saxutils import escape

from sealift_registry.proof.batches import BATCHES
from sealift_registry.proof.proof_report import BINS, Findings, KindProof, OutputProof
from sealift_signing.drawing import word
from sealift_signing.vocabulary import visible

WIDTH, LEFT, LINE, BAR = 860, 190, 18, 11
CHART = 96
PART = 34
"""The height of a heading."""
FINE, BAD, ROUNDED, PALE, INK = "#3b7a57", "#b3261e", "#c98a00", "#d9d9d9", "#1c1c1c"
COLOURS = {
    "alike": FINE,
    "rounding of 32 bits": ROUNDED,
    "different": BAD,
    "refused by the source, or left out": PALE,
}
AGAIN = ". They are rows from above, asked again, and count as answers of their own."
LONGEST = 24
"""Characters of a name."""


def picture(found: Findings, title: str) -> bytes:
    """An SVG of what was found; `title` stands above it."""
    parts, top = [_text(12, 26, title, size=15)], 40
    parts.append(_text(12, top + 6, found.words, size=11))
    top += PART
    for output in found.outputs:
        parts += _histogram(output, top)
        top += CHART + PART
    parts.append(_text(12, top, "Rows by kind"))
    parts += _legend(top)
    top += 10
    most = max((_all(one) for one in found.probes), default=1)
    for one in found.probes:
        parts += _kind(one, top, max(most, 1))
        top += LINE
    for one in found.probes:
        if one.kind in BATCHES:
            parts.append(_text(12, top + BAR, f"{one.kind}: {BATCHES[one.kind]}{AGAIN}", size=10))
            top += LINE
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top + 16}" '
        f'viewBox="0 0 {WIDTH} {top + 16}" font-family="sans-serif">'
        f"<title>{escape(visible(title))}</title>"
        f'<rect width="{WIDTH}" height="{top + 16}" fill="#ffffff"/>'
    )
    return "\n".join([head, *parts, "</svg>", ""]).encode()


def _legend(top: int) -> Iterator[str]:
    """Which colour is which, beside the heading."""
    for left, (name, colour) in zip((190, 260, 408, 500), COLOURS.items(), strict=True):
        yield _box(left, top - 9, BAR - 1, BAR - 1, colour)
        yield _text(left + 15, top, name, size=11)


def _histogram(output: OutputProof, top: int) -> Iterator[str]:
    """How many answers used up which part of what is allowed; what is right of the line fails."""
    name = word(output.name, LONGEST)
    what = "labels, equal or not" if output.kind == "labels" else "part of what is allowed"
    yield _text(12, top, f"{name}: {output.rows:,} answers, {what}")
    names = [f"≤ {one}" for one in BINS] + ["larger"]
    wide = (WIDTH - 24) // len(names)
    most = max(output.differences, default=0)
    base = top + CHART
    for at, (count, label) in enumerate(zip(output.differences, names, strict=True)):
        tall = round(60 * log10(count + 1) / log10(most + 1)) if count else 0
        left = 12 + at * wide
        colour = BAD if at == len(names) - 1 else FINE
        yield _box(left, base - 14 - tall, wide - 8, tall, colour)
        yield _text(left, base, label, size=10)
        if count:
            yield _text(left, base - 18 - tall, f"{count:,}", size=10)
    line = 12 + (len(names) - 1) * wide - 5
    yield f'<path d="M{line} {top + 10}V{base - 12}" stroke="{INK}" stroke-dasharray="4 3"/>'


def _kind(one: KindProof, top: int, most: int) -> Iterator[str]:
    yield _text(12, top + BAR, one.kind, size=11)
    alike = one.ran - one.wrong - one.excused
    left = LEFT
    counts = (alike, FINE), (one.excused, ROUNDED), (one.wrong, BAD)
    for count, colour in (*counts, (one.dropped + one.left_out, PALE)):
        wide = round((WIDTH - LEFT - 90) * count / most)
        wide = max(wide, 2) if count else 0
        yield from (_box(left, top + 2, wide, BAR, colour),) if wide else ()
        left += wide
    said = f"{one.ran:,}" + (f", {one.wrong:,} different" if one.wrong else "")
    yield _text(left + 6, top + BAR, said, size=10)


def _all(one: KindProof) -> int:
    return one.ran + one.dropped + one.left_out


def _text(left: int, base: int, text: str, size: int = 12) -> str:
    said = escape(visible(text))
    return f'<text x="{left}" y="{base}" font-size="{size}" fill="{INK}">{said}</text>'


def _box(left: int, top: int, wide: int, tall: int, colour: str) -> str:
    return f'<rect x="{left}" y="{top}" width="{wide}" height="{tall}" fill="{colour}"/>'
