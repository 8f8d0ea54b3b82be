r"""Text to lines, normalized once: nothing after this module looks at newlines, tabs, no-break blanks or Unicode forms.

A line's number is its index plus 1. Lines end at `\n` only: `\x0b`, `\x0c`, `\x85` and `\u2028` occur inside text.
"""

import re
from unicodedata import is_normalized, normalize

_LEADING_TABS = re.compile(r"^\t+", re.MULTILINE)


def lines_of(text: str) -> list[str]:
    r"""Split a page's text into lines without trailing blanks.

    `\r\n` becomes `\n`, a leading tab two blanks (one level of a list), any other tab and the no-break blank one
    blank, and the Unicode form is NFC. A margin that all lines share is taken away.

    Args:
        text: The page's text.

    Returns:
        Every line, the blank ones as empty strings.
    """
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r")
    if "\t" in text:
        text = _LEADING_TABS.sub(lambda tabs: "  " * len(tabs[0]), text).replace("\t", " ")
    if "\xa0" in text:
        text = text.replace("\xa0", " ")
    if not text.isascii() and not is_normalized("NFC", text):
        text = normalize("NFC", text)
    lines = text.split("\n")
    if " \n" in text or text.endswith(" "):
        lines = [line.rstrip(" ") for line in lines]
    return _without_margin(lines)


def indent(line: str) -> int:
    """Count the blanks a line begins with."""
    return len(line) - len(line.lstrip(" "))


def _without_margin(lines: list[str]) -> list[str]:
    first = next((line for line in lines if line), "")
    if not first.startswith(" "):
        return lines
    margin = min(indent(line) for line in lines if line)
    return [line[margin:] for line in lines]
