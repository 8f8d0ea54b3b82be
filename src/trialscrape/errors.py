"""Everything that can go wrong, as one tree.

    TrialscrapeError
    ├── PageError             a page that gives no record
    │   ├── NotAStudyPage     it is something else, or nothing
    │   ├── SeveralPages      it holds more than one study page
    │   ├── Unreadable        it cannot be read: missing, no permission, broken gzip
    │   ├── TooLarge          it is larger than the limit
    │   └── Rejected          it has warnings or unparsed lines, and strict reading was requested
    ├── SettingsError         a setting that cannot be used
    ├── IncompleteBody        a body that ends early, or that is in an unknown coding
    ├── DamagedBody           compressed data that is damaged
    ├── BodyTooLarge          a body above the limit
    ├── UnknownFormat         a name or an ending that no format of records has
    ├── UnknownField          a field that records do not have
    ├── Stopped               the fetcher was stopped or closed
    ├── StoreError            the store cannot be opened, read or written
    ├── FileError             a file cannot be written
    │   └── FileInUseError    another process is writing it
    ├── IdFileError           a file of ids cannot be read
    ├── RecordFileError       a file of records cannot be read or compared
    ├── Withdrawn             what is being written is not wanted after all
    ├── ArchiveError          a WARC file cannot be read
    ├── ClusterError          no Ray cluster answers
    └── MissingExtraError     an optional library is not installed

Each page error carries `outcome`, its name in the outcome rows. What is doubtful *inside* a study page is never an
exception: it is a warning in the record.
"""

from typing import ClassVar


class TrialscrapeError(Exception):
    """Root of all errors of this package."""


class UnknownFormat(TrialscrapeError):
    """A name or an ending that no format of records has."""


class UnknownField(TrialscrapeError):
    """A field that records do not have; the message lists those that they have."""


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


class NotAStudyPage(PageError):
    """The input is not a study page: empty, binary, another web page, or no text in the known layout."""

    outcome = "not_a_study_page"


class SeveralPages(PageError):
    """The input holds more than one study page, which are not merged."""

    outcome = "several_pages"


class Unreadable(PageError):
    """The input cannot be read."""

    outcome = "unreadable"


class TooLarge(PageError):
    """The input is larger than the limit, before or after decompression."""

    outcome = "too_large"


class Rejected(PageError):
    """The page has warnings or unparsed lines, and strict reading was requested."""

    outcome = "rejected"


class SettingsError(TrialscrapeError):
    """A setting that cannot be used; the message names it, what was expected and what was found."""


class IncompleteBody(TrialscrapeError):
    """A body that did not arrive whole, or in no known coding."""


class DamagedBody(TrialscrapeError):
    """Compressed data that is damaged."""


class BodyTooLarge(TrialscrapeError):
    """A body above the limit."""


class Stopped(TrialscrapeError):
    """The fetcher was stopped or closed before or during a request: there is no result to keep."""


class StoreError(TrialscrapeError):
    """The store cannot be opened, read or written; the message says why and what to do."""


class FileError(TrialscrapeError):
    """A file cannot be written; the message says why and what to do."""


class FileInUseError(FileError):
    """Another process is writing the file."""


class Withdrawn(TrialscrapeError):
    """What is being written is not wanted after all, as it has no records: the former file stays as it is."""


class IdFileError(TrialscrapeError):
    """A file of ids cannot be read; the message says why and what to do."""


class RecordFileError(TrialscrapeError):
    """A file of records cannot be read, or its records cannot be told apart; the message says where and why."""


class ArchiveError(TrialscrapeError):
    """A WARC file cannot be read; the message says why and what to do."""


class MissingExtraError(TrialscrapeError):
    """An optional library is not installed; the message says which extra to install."""


class ClusterError(TrialscrapeError):
    """No Ray cluster answers; the message says where."""
