"""Everything that can go wrong, as one tree.

    TrialscrapeError
    ├── UnknownFormat         a name or an ending that no format of records has
    └── PageError             a page that gives no record
        ├── NotAStudyPage     it is something else, or nothing
        ├── SeveralPages      it holds more than one study page
        ├── Unreadable        its bytes cannot be had: missing, no permission, broken gzip
        ├── TooLarge          it is larger than the limit
        └── Rejected          it has warnings or unparsed lines, and strict reading was asked for

Each class carries `outcome`, its name in the outcome rows. What is doubtful *inside* a study page is never an
exception: it is a warning in the record.
"""

from typing import ClassVar


class TrialscrapeError(Exception):
    """Root of all errors of this package."""


class UnknownFormat(TrialscrapeError):
    """A name or an ending that no format of records has."""


class PageError(TrialscrapeError):
    """A page that gives no record.

    Args:
        message: What was expected, what was found, and what to do.
        line: The line of the page's text it is about, from 1, or None where it is about the whole page.
    """

    outcome: ClassVar[str] = "page_error"

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line

    def __reduce__(self) -> tuple[type["PageError"], tuple[str, int | None]]:
        return type(self), (self.message, self.line)


class IncompleteBody(TrialscrapeError):
    """A body that did not arrive whole, or in no known coding."""


class BodyTooLarge(TrialscrapeError):
    """A body above the limit."""


class NotAStudyPage(PageError):
    """The input is not a study page: empty, binary, another web page, or no text in the known layout."""

    outcome = "not_a_study_page"


class SeveralPages(PageError):
    """The input holds more than one study page, which are not merged."""

    outcome = "several_pages"


class Unreadable(PageError):
    """The input's bytes cannot be had."""

    outcome = "unreadable"


class TooLarge(PageError):
    """The input is larger than the limit, before or after decompression."""

    outcome = "too_large"


class Rejected(PageError):
    """The page was read, but not without doubt, and strict reading was asked for."""

    outcome = "rejected"
