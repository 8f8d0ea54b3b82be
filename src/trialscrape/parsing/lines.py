r"""Text to lines, normalized once: nothing after this module looks at newlines, tabs, no-break blanks or Unicode forms.

A line's number is its index plus 1. Lines end at `\n` only: `\x0b`, `\x0c`, `\x85` and `\u2028` occur inside text.
"""

import re
from unicodedata import combining, is_normalized, normalize

_MOST_MARKS = 30
_NO_MARKS = bytes({*range(0xCC), 0xE2})  # UTF-8 of characters below U+0300, and of punctuation and symbols
_SYMBOL_MARKS = b"\xe2\x83"
_HIGH_CHARACTERS = re.compile(rf"[^\x00-\u02ff]{{{_MOST_MARKS + 1},}}")  # combining marks begin at U+0300
_LEADING_TABS = re.compile(r"^\t+", re.MULTILINE)


def split_lines(text: str) -> list[str]:
    r"""Split a page's text into lines without trailing blanks.

    `\r\n` becomes `\n`, a leading tab two blanks (one level of a list), any other tab and the no-break blank one
    blank, and the Unicode form is NFC, unless a letter carries more than 30 marks. A margin that all lines share is
    taken away.

    Args:
        text: The page's text.

    Returns:
        Every line, the blank ones as empty strings.
    """
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if "\t" in text:
        text = _LEADING_TABS.sub(lambda tabs: "  " * len(tabs[0]), text).replace("\t", " ")
    if "\xa0" in text:
        text = text.replace("\xa0", " ")
    if not text.isascii() and _can_be_normalized(text) and not is_normalized("NFC", text):
        text = normalize("NFC", text)
    lines = text.split("\n")
    lines = [line.rstrip(" ") for line in lines]
    return _remove_margin(lines)


def _can_be_normalized(text: str) -> bool:
    # Sorting the marks on one letter takes time with their square; more than 30 are no writing (UAX #15, 13). Nearly
    # all pages have none at all, which their bytes tell fastest.
    data = text.encode()
    if not data.translate(None, _NO_MARKS) and _SYMBOL_MARKS not in data:
        return True
    for run in _HIGH_CHARACTERS.finditer(text):
        marks = 0
        for character in run[0]:
            marks = marks + 1 if combining(character) else 0
            if marks > _MOST_MARKS:
                return False
    return True


def indent(line: str) -> int:
    """Count the blanks a line begins with."""
    return len(line) - len(line.lstrip(" "))


def _remove_margin(lines: list[str]) -> list[str]:
    first = next((line for line in lines if line), "")
    if not first.startswith(" "):
        return lines
    margin = min(indent(line) for line in lines if line)
    return [line[margin:] for line in lines]
