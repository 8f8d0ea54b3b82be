"""What went wrong with pages, ids or studies, a line a cause."""

import re
from collections.abc import Iterator

from trialscrape.results import IdResult
from trialscrape.wording import write_count

_MOST_LINES = 20
_MOST_NAMES = 3  # in a line
_MOST_CAUSES = 1_000  # kept: many thousand pages may each fail in their own way

# What differs from page to page: quoted texts and numbers.
_OWN_WORDS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[0-9][0-9,.]*(?<=[0-9])""")


class Troubles:
    """The messages of a run, grouped by cause; the first names of each are kept, and how many there are.

    Args:
        noun: What has trouble.
        plural: What several are called, where that is not the noun and an s.
    """

    def __init__(self, noun: str = "id", plural: str | None = None) -> None:
        self._noun, self._plural = noun, plural
        self._lines: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}
        self._total = 0

    def add(self, name: str, cause: str, line: str | None = None) -> None:
        """Take what went wrong with one.

        Args:
            name: Its name.
            cause: What went wrong, in words that are the same for all that it happened to.
            line: What is printed where it happened to no other; None to print it like several.
        """
        self._total += 1
        if cause not in self._counts and len(self._counts) == _MOST_CAUSES:
            return
        self._counts[cause] = self._counts.get(cause, 0) + 1
        names = self._names.setdefault(cause, [])
        if len(names) < _MOST_NAMES:
            names.append(name)
        if line:
            self._lines.setdefault(cause, line)

    def add_id(self, result: IdResult) -> None:
        """Take the message of an id, if it has one."""
        if result.message:
            cause = result.cause or _leave_out(result.message, result)
            line = f"{result.id}: {result.outcome}: {result.message}"
            self.add(result.id, f"{result.outcome}: {cause}", line)

    def add_page(self, place: str, outcome: str, message: str) -> None:
        """Take the message of a page, which may be in other words for each: those behind `found` are left out."""
        expected, found, words = message.partition("found ")
        words = re.sub("…(?:, …)+", "…", _OWN_WORDS.sub("…", words))
        self.add(place, f"{outcome}: {expected}{found}{words}", f"{place}: {outcome}: {message}")

    def add_uncounted(self, count: int) -> None:
        """Count some more, whose messages are not at hand."""
        self._total += count

    def write_lines(self, where: str = "") -> Iterator[str]:
        """Write a line a cause, the most frequent first, and how many the lines that are left out are about.

        Args:
            where: Where all messages are.
        """
        causes = sorted(self._counts, key=lambda cause: -self._counts[cause])[:_MOST_LINES]
        for cause in causes:
            count, line = self._counts[cause], self._lines.get(cause)
            more = ", …" if count > _MOST_NAMES else ""
            grouped = f"{cause} ({self._write_count(count)}: {', '.join(self._names[cause])}{more})"
            yield line if line and count == 1 else grouped
        if left := self._total - sum(self._counts[cause] for cause in causes):
            yield f"… and {left:,} more of {self._write_count(self._total)}{where and f'; {where}'}"

    def _write_count(self, count: int) -> str:
        return write_count(count, self._noun, self._plural)


def _leave_out(message: str, result: IdResult) -> str:
    """Leave out of a message what differs from id to id."""
    for part in filter(None, (result.url, result.id)):
        message = message.replace(part, "…")
    return message
