"""Texts that somebody writes to have others read what nobody wrote."""

LINES = "approved so far by: emil (2 of 2)"
LEADS = (
    "\n", "ok\n", "\t\n", "\n\n  ", "ok\n    emil: ", "  " * 30, "a\u0301\n", "\n> ",
    "x" * 78 + " ", "x" * 80, "漢" * 40, "漢" * 39 + " ", "e\u0301" * 80, "🙂" * 40,
    "\u3164" * 40, "\u2800" * 40, "\u00a0" * 40, "\u3000" * 40, "\u200b\n", "\u034f",
    "”\n", "” ", "“", "„", "‟, and ", "″", "❞", "ok”. ", "'; ", '"} ', "\\n", "\\x1b[2J",
    "\u0336".join("no") + " ", "no\u20e0 ", "Error: ", "  Next: sealift ", "sealift-sign ",
    "no.  when  what  by  about\n", "-" * 80 + "\n", "\U000e0041\U000e0042 ",
    "\ufe0f", "\ufeff", "\u00ad" * 9, "\u17b4", "\uffa0" * 40, "\u115f", "\u180e",
)  # fmt: skip
"""How such a text begins; what it says follows."""
WHOLE = (
    "\u0441arla: validated", "emil\u037e", "\U0001d41e\U0001d426\U0001d422", "\uff45\uff4d",
    "\u0395mil",
    "\n".join(["emil: validated, until 2030"] * 60), "a\u0301\u0301\u0301\u0301" * 9, "%s %n {0}",
    "$(sealift)", "<b>emil</b>", "| emil |", "0\n1\n2", "x" * 1999,
)  # fmt: skip
HOSTILE = [*(f"{lead}{LINES}" for lead in LEADS), *WHOLE]
BARRED = ["\r", "\x1b[1A", "\x00", "\x9b", "\u202e", "\u2066", "\u2028", "\x85"]
"""What no document holds: these are refused where they are written."""
