"""What has been read of a page so far."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from trialscrape.parsing import values
from trialscrape.parsing.sections import Form
from trialscrape.records import Ages, Identifier, Intervention, PageWarning, Term, warning

if TYPE_CHECKING:
    from trialscrape.parsing.criteria import ParsedCriteria


class ParseState:
    """The values of the record to be, and what became of each line.

    Attributes:
        lines: The page's lines.
        form: "full", "stripped" or "wordless".
        complete: Whether the page reaches its footer; otherwise it is cut somewhere.
        values: Field to value.
        design: The same for the fields of the design.
        criteria: The criteria of each section that has some, in the page's order.
        combined: Whether one section has the criteria of both sides.
        spans: Field to the indexes of its first and last line.
        warnings: What is doubtful.
        taken: A byte a line, 1 where the line is in a field or is known chrome.
    """

    def __init__(self, lines: Sequence[str], form: Form, *, complete: bool) -> None:
        self.lines = lines
        self.form = form
        self.complete = complete
        self.values: dict[str, Any] = {}
        self.design: dict[str, Term] = {}
        self.criteria: list[ParsedCriteria] = []
        self.combined = False
        self.spans: dict[str, tuple[int, int]] = {}
        self.warnings: list[PageWarning] = []
        self.taken = bytearray(len(lines))

    def take(self, start: int, stop: int) -> None:
        """Mark lines as understood."""
        self.taken[start:stop] = b"\1" * (stop - start)

    def mark(self, field: str, start: int, stop: int) -> None:
        """Record which lines a field comes from, and mark them as understood."""
        self.spans[field] = (start, stop - 1)
        self.take(start, stop)

    def put(self, field: str, value: object, start: int, stop: int) -> None:
        """Put a value into a field, with its lines."""
        self.values[field] = value
        self.mark(field, start, stop)

    def text(self, index: int) -> str:
        """Return a line without the blanks around it."""
        return self.lines[index].strip(" ")

    def warn(self, code: str, index: int | None, message: str, field: str | None = None) -> None:
        """Add a warning about a line, or about the page."""
        line = None if index is None else index + 1
        self.warnings.append(warning(code, message, field=field, line=line))

    def read_line(self, read: Callable[[str], Any], index: int, field: str) -> Any:  # noqa: ANN401  fields are of any type
        """Read one line of a field; where it is something else, warn, leave it and return None."""
        text = self.text(index)
        try:
            value = read(text)
        except ValueError as error:
            self.warn("unreadable_line", index, f"expected {error}, found {text!r}", field)
            return None
        unknown = _find_unknown_label(value)
        if unknown is None:
            return value
        if self.form == "wordless":
            return None  # with its heading gone, a line may be of another section
        self.warn("unknown_label", index, f"expected a known label, found {unknown!r}; it is kept as it is", field)
        return value


def _find_unknown_label(value: object) -> str | None:
    """Return the label of a value that the vocabulary does not have, or that of ages without a limit."""
    match value:
        case Intervention(type=Term(code=None) as term) | (Term(code=None) as term):
            return term.label
        case Identifier():
            return values.find_unknown_type(value)
        case Ages(minimum=None, maximum=None):
            return value.label
        case _:
            return None
