"""Clinical study pages of ClinicalTrials.Veeva as validated records.

The names below are loaded when they are first used, so that `import trialscrape` costs nothing.
"""

from importlib import import_module

TYPE_CHECKING = False  # type checkers know this name; importing it takes longer than all the rest
if TYPE_CHECKING:
    from typing import Any

    from trialscrape.engines import parse, parse_files, trace
    from trialscrape.errors import (
        NotAStudyPage,
        PageError,
        RecordFileError,
        Rejected,
        SettingsError,
        SeveralPages,
        StoreError,
        TooLarge,
        TrialscrapeError,
        Unreadable,
    )
    from trialscrape.exports.frames import to_frame
    from trialscrape.page import Page
    from trialscrape.parsing.criteria_text import parse_criteria
    from trialscrape.parsing.renderer import render
    from trialscrape.records import (
        Age,
        Ages,
        Arm,
        Criterion,
        Design,
        Eligibility,
        Enrollment,
        Identifier,
        Intervention,
        PageWarning,
        Participants,
        PlacedCriterion,
        Source,
        Term,
        TracedTrial,
        Trial,
        UnparsedLine,
    )
    from trialscrape.results import IdResult, Outcome, PageResult
    from trialscrape.scraping.progress import RunProgress
    from trialscrape.scraping.run import scrape
    from trialscrape.settings import Settings
    from trialscrape.sources.record_files import read_records
    from trialscrape.store.store import Store

__version__ = "0.2.0"

_MENU = {
    "errors": "NotAStudyPage PageError RecordFileError Rejected SettingsError SeveralPages StoreError TooLarge "
    "TrialscrapeError Unreadable",
    "engines": "parse parse_files trace",
    "exports.frames": "to_frame",
    "page": "Page",
    "parsing.criteria_text": "parse_criteria",
    "records": "Age Ages Arm Criterion Design Eligibility Enrollment Identifier Intervention PageWarning Participants "
    "PlacedCriterion Source Term TracedTrial Trial UnparsedLine",
    "parsing.renderer": "render",
    "results": "IdResult Outcome PageResult",
    "scraping.progress": "RunProgress",
    "scraping.run": "scrape",
    "settings": "Settings",
    "sources.record_files": "read_records",
    "store.store": "Store",
}
MODULE_OF = {name: module for module, names in _MENU.items() for name in names.split()}

__all__ = [
    "Age",
    "Ages",
    "Arm",
    "Criterion",
    "Design",
    "Eligibility",
    "Enrollment",
    "IdResult",
    "Identifier",
    "Intervention",
    "NotAStudyPage",
    "Outcome",
    "Page",
    "PageError",
    "PageResult",
    "PageWarning",
    "Participants",
    "PlacedCriterion",
    "RecordFileError",
    "Rejected",
    "RunProgress",
    "Settings",
    "SettingsError",
    "SeveralPages",
    "Source",
    "Store",
    "StoreError",
    "Term",
    "TooLarge",
    "TracedTrial",
    "Trial",
    "TrialscrapeError",
    "UnparsedLine",
    "Unreadable",
    "__version__",
    "parse",
    "parse_criteria",
    "parse_files",
    "read_records",
    "render",
    "scrape",
    "to_frame",
    "trace",
]


def __getattr__(name: str) -> "Any":  # noqa: ANN401  a module may give anything
    if name not in MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{MODULE_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
