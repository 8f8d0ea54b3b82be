"""What went wrong with ids, a line a cause."""

from collections.abc import Iterator
from pathlib import Path

from trialscrape.results import IdResult
from trialscrape.wording import write_count

_MOST_LINES = 20
_MOST_IDS = 3  # named in a line


class Troubles:
    """The messages of a run, grouped by cause; the first ids of each are kept, and how many there are."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}
        self._ids: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, result: IdResult) -> None:
        """Take the message of a result, if it has one."""
        if not result.message:
            return
        cause = result.cause or f"{result.outcome}: {_leave_out(result.message, result)}"
        self._counts[cause] = self._counts.get(cause, 0) + 1
        ids = self._ids.setdefault(cause, [])
        if len(ids) < _MOST_IDS:
            ids.append(result.id)
        if not result.cause:  # one alone is told with its id and all that its message says
            self._lines.setdefault(cause, f"{result.id}: {result.outcome}: {result.message}")

    def write_lines(self, outcomes: Path | None) -> Iterator[str]:
        """Write a line a cause, the most frequent first, and how many ids the lines that are left out are about.

        Args:
            outcomes: The file with all outcomes, if the run writes one.
        """
        causes = sorted(self._counts, key=lambda cause: -self._counts[cause])
        for cause in causes[:_MOST_LINES]:
            count, line = self._counts[cause], self._lines.get(cause)
            more = ", …" if count > _MOST_IDS else ""
            grouped = f"{cause} ({write_count(count, 'id')}: {', '.join(self._ids[cause])}{more})"
            yield line if line and count == 1 else grouped
        if left := sum(self._counts[cause] for cause in causes[_MOST_LINES:]):
            where = "the outcomes file has them all" if outcomes else "with -o, an outcomes file has them all"
            yield f"… and {left:,} more of {write_count(sum(self._counts.values()), 'id')}; {where}"


def _leave_out(message: str, result: IdResult) -> str:
    """Leave out of a message what differs from id to id."""
    for part in filter(None, (result.url, result.id)):
        message = message.replace(part, "…")
    return message
