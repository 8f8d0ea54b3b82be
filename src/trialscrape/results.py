"""What became of one page or one id."""

from dataclasses import dataclass, field, fields
from enum import StrEnum, auto

from trialscrape.errors import PageError
from trialscrape.page import Page
from trialscrape.records import Trial


class Outcome(StrEnum):
    """Every word for what became of a page (docs/warnings.md) or an id (docs/scrape.md)."""

    # A saved page has a record, or none.
    OK = auto()
    SEVERAL_PAGES = auto()
    UNREADABLE = auto()
    REJECTED = auto()
    # Both a page and an id may end without a record.
    NOT_A_STUDY_PAGE = auto()
    TOO_LARGE = auto()
    INTERNAL_ERROR = auto()
    # An id has a record.
    NEW = auto()
    CHANGED = auto()
    UNCHANGED = auto()
    CACHED = auto()
    STALE = auto()
    # An id has none.
    NOT_FOUND = auto()
    UNRESOLVED = auto()
    MISMATCH = auto()
    INVALID_ID = auto()
    BLOCKED_BY_ROBOTS = auto()
    RATE_LIMITED = auto()
    TIMEOUT = auto()
    NETWORK_ERROR = auto()
    SERVER_ERROR = auto()


@dataclass(frozen=True, slots=True)
class PageResult:
    """What became of one page.

    Attributes:
        file: The page's file as given, or found in a folder that was; `-` for stdin; `archive!member` in an archive.
        outcome: `ok`, or the `outcome` of an error in `trialscrape.errors`; `internal_error` is a fault of trialscrape.
        message: What was expected, what was found, and what to do; None where all is well.
        line: The line of the page's text that the message is about, from 1.
        trial: The record where the outcome is `ok`.
        lines: How many lines of its text are not blank.
    """

    file: str
    outcome: Outcome
    message: str | None = None
    line: int | None = None
    trial: Trial | None = None
    lines: int = 0


Batch = list[str | Page | PageResult]
"""Pages that are read together: names of files of one page each, pages out of containers, and what failed in one."""


def make_failure(file: str, error: PageError) -> PageResult:
    """Make the result of a page that gives no record."""
    return PageResult(file, Outcome(error.outcome), error.message, error.line)


@dataclass(frozen=True, slots=True)
class IdResult:
    """What became of one id.

    Attributes:
        id: As requested: an NCT id, or the address or slug that was given instead.
        outcome: `new`, `changed`, `unchanged`, `cached` and `stale` have a record.
        url: The page's address, or the last one tried; None where none was.
        attempts: How many requests were sent for it, retries and redirects included, robots.txt not. A list of ids sent
            to the registry counts for the first of them.
        matched_by: How the page was matched to the id: the kind of a `Match`, or `address` where an address was given.
        message: What the user should know; None where all is well.
        fetched_at: When the version of the page that the record is of was fetched, as `2026-01-31T12:00:00Z`.
        changed: For `changed`, the fields that changed from the kept version, out of `quality.diff.FIELDS`; none where
            nothing changed by meaning. None where there is no earlier record to compare with.
        trial: The record, where there is one.
        record: The record as JSON.
        cause: For trouble with the network, what it was, in words that are the same for all ids that met it.
    """

    id: str
    outcome: Outcome
    url: str | None = None
    attempts: int = 0
    matched_by: str | None = None
    message: str | None = None
    fetched_at: str | None = None
    changed: list[str] | None = None
    trial: Trial | None = None
    record: str | None = field(default=None, repr=False, compare=False)
    cause: str = field(default="", repr=False, compare=False)

    @property
    def failed(self) -> bool:
        """Whether there is no record, or only one of a page that could not be fetched again."""
        return self.trial is None or self.outcome is Outcome.STALE

    def row(self) -> dict[str, object]:
        """Return everything but the record, in the order of the outcomes file."""
        return {name: getattr(self, name) for name in _ROW_FIELDS}


_ROW_FIELDS = tuple(field.name for field in fields(IdResult) if field.name not in {"trial", "record", "cause"})
