"""Words that cannot lie: how text that somebody else wrote is drawn on a screen.

Whoever writes a reason, a name or a path chooses what the next person reads. So a value is one
line, whatever it holds; nothing in it is invisible, turns letters around or covers others; and
where it stands in a sentence of ours, it stands between marks that it cannot hold itself.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable

IGNORED = frozenset(
    chr(code)
    for first, last in (
        (0x00AD, 0x00AD),
        (0x034F, 0x034F),
        (0x061C, 0x061C),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0x2800, 0x2800),  # a Braille pattern without a dot, which is no space to Unicode
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFF8),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
)
"""What takes no place or shows nothing (Unicode 16, Default_Ignorable_Code_Point, and one more)."""
COVERING = frozenset(
    map(chr, (*range(0x0334, 0x0339), *range(0x0488, 0x048A), *range(0x20D0, 0x2100)))
)
"""Combining marks that strike other letters through, or draw a box around them."""
MARKS = frozenset({"Mn", "Me"})
MOST_MARKS, MOST_OWN_MARKS = 2, 3
"""Combining marks on one letter: of those for any script, and of those that a script has of its own
(Burmese, Tibetan and pointed Hebrew need three)."""
QUOTES = frozenset("“”„‟″‶〝〞〟❝❞ʺ˝ˮ\uff02\u05f4\u2057")
"""What closes our marks, or looks as if it did."""
LOOK_ALIKE = frozenset(
    (
        *("GREEK", "CYRILLIC", "ARMENIAN", "COPTIC", "CHEROKEE", "LISU", "GEORGIAN", "FULLWIDTH"),
        *("MATHEMATICAL", "ROMAN", "CIRCLED", "PARENTHESIZED", "SMALL"),
    )
)
"""How the names of letters begin that can pass for Latin ones (Unicode 16, confusables.txt)."""
WIDE = frozenset({"W", "F"})
FIRST_WIDE, PUNCTUATION = "\u1100", ("\u1e00", "\u2069")
"""Below the one, and within the other, no terminal draws a letter in two columns."""
LAST_OF_FOUR = 0xFFFF
"""The last character whose number a shell reads after `\\u`."""


LONGEST_PATH = 4096
"""Characters; a path on this machine is no longer."""

_WORD = re.compile(r"[A-Za-z0-9._/:@#+=~-]{1,200}")


def plain(text: str) -> str:
    """`text` on one line; what is not seen, or covers what is, is told by its number."""
    if text.isascii() and text.isprintable():
        return text
    drawn_, marks = [], 0
    for one in text:
        marks = marks + 1 if unicodedata.category(one) in MARKS else 0
        hidden = not one.isprintable() or one in IGNORED or one in COVERING
        hidden = hidden or marks > (MOST_MARKS if _is_shared(one) else MOST_OWN_MARKS)
        drawn_.append(_numbered(one) if hidden else one)
    return "".join(drawn_)


def drawn(text: str, most: int = 0) -> str:
    """Somebody else's words in a sentence of ours: `“looks fine”`.

    Quotation marks of whatever kind stand in it as `"`. Further spaces are numbered, for they push
    words to where ours would stand; and letters that can pass for Latin ones are named after the
    words: `“…” (letters: CYRILLIC, LATIN)`.

    Args:
        text: theirs.
        most: characters, beyond which it is cut within the marks; 0: it is shown whole.
    """
    text = text[: most + 1] if most else text  # a megabyte is not looked through, and then cut
    said = "".join('"' if one in QUOTES else one for one in plain(text))
    said = said.replace("  ", " \\x20")
    scripts = {_script(one) for one in text if one.isalpha()}
    scripts |= {_script(one) for one in text if _stands_for_latin(one)}
    said = f"{said[: most - 1]}…" if 0 < most < len(said) else said
    passes = scripts & LOOK_ALIKE or any(map(_stands_for_latin, text))
    note = f" (letters: {', '.join(sorted(scripts))})" if passes else ""
    return f"“{said}”{note}"


def word(text: str, most: int = 0) -> str:
    """Somebody else's name or address: as it is where it is one word, else `drawn`."""
    return text if _WORD.fullmatch(text) else drawn(text, most)


def named(paths: Iterable[str]) -> str:
    """Files that somebody named, in a sentence; what is too long for a path is cut."""
    return ", ".join(word(one, LONGEST_PATH) for one in paths)


def pasted(words: Iterable[str]) -> str:
    """`words` as one line for a shell: each is one word there, and the line is one here.

    What is not seen stands in $'…', which bash, zsh and POSIX 2024's sh read (XCU 2.2.4).
    """
    return " ".join(shlex.quote(one) if plain(one) == one else _escaped(one) for one in words)


def _escaped(text: str) -> str:
    safe = text.replace("\\", "\\\\").replace("'", "\\'")
    # By their numbers as characters: \\x would be a byte there.
    return f"$'{''.join(plain(one) if one.isascii() else _in_a_shell(one) for one in safe)}'"


def _in_a_shell(one: str) -> str:
    if plain(one) == one:
        return one
    return f"\\u{ord(one):04x}" if ord(one) <= LAST_OF_FOUR else f"\\U{ord(one):08x}"


def cells(text: str) -> int:
    """The columns that `text` takes on a terminal (Unicode Standard Annex 11)."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut(text: str, width: int) -> tuple[str, str]:
    """`text` in two: what fits into `width` columns, one character at least, and what is left."""
    taken = at = 0
    for at, one in enumerate(text):
        taken += _cells(one)
        if taken > width and at:
            return text[:at], text[at:]
    return text, ""


def _cells(one: str) -> int:
    """Terminals differ in some hundred characters; where they may, the wider is taken."""
    if unicodedata.category(one) in MARKS:
        return 0
    if unicodedata.east_asian_width(one) in WIDE:
        return 2
    narrow = one < FIRST_WIDE or PUNCTUATION[0] <= one <= PUNCTUATION[1]
    return 1 if narrow else 2


def _is_shared(mark: str) -> bool:
    """Whether a combining mark is none of one script's own: it goes on any letter."""
    return _script(mark) == "COMBINING"


def _stands_for_latin(one: str) -> bool:
    """Whether `one` is another form of an ASCII letter or digit (Unicode's compatibility forms)."""
    same = unicodedata.normalize("NFKC", one)
    return not one.isascii() and same.isascii() and same.isalnum()


def _script(letter: str) -> str:
    """The script of `letter`: the first word of its name, which is how Unicode names letters."""
    return unicodedata.name(letter, "UNNAMED").partition(" ")[0]


def _numbered(one: str) -> str:
    code = ord(one)
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    if one in known:
        return known[one]
    if code < 0x100:  # noqa: PLR2004 - as Python writes them
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - likewise
