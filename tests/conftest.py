"""What holds for all tests, and what tests of several modules share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# A shell starts what runs in the background with SIGINT ignored, and every process that a test starts would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


# No test is timed: how long an example takes depends on what else the machine does. CI draws the same examples each
# time, so that it judges the change and not the draw.
hypothesis.settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("untimed")

FAST = {
    *(
        "parsing/test_lines",
        "parsing/test_sections",
        "parsing/test_values",
        "parsing/test_criteria",
        "parsing/test_criterion_lines",
        "parsing/test_arms",
        "parsing/test_checks",
        "parsing/test_kinds",
    ),
    *("parsing/test_subheadings", "parsing/test_parser", "parsing/test_text", "parsing/test_fixtures", "test_slugs"),
    *(
        "cli/test_help",
        "parsing/test_calls",
        "parsing/test_criteria_text",
        "sources/test_files",
        "fetching/test_throttle",
        "scraping/test_ids",
        "scraping/test_candidates",
        "scraping/test_matching",
        "scraping/test_progress",
        "cli/test_run_progress",
    ),
    *(
        "exports/test_files",
        "exports/test_fhir",
        "exports/test_fields",
        "sources/test_record_files",
        "exports/test_formats",
        "quality/test_diff",
        "quality/test_record_sets",
        "quality/test_verify",
        "quality/test_report",
        "store/test_slug_index",
        "store/test_pages",
        "store/test_database",
        "test_addresses",
        "test_record_page",
        "test_settings",
        "test_vocabulary",
        "test_wording",
    ),
}
"""The modules that `make check` runs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the other modules as slow."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).with_suffix("").as_posix() not in FAST:
            item.add_marker("slow")


@pytest.fixture
def open_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder that other users can enter, and its parents too while the test runs."""
    folder = tmp_path_factory.mktemp("open")
    closed = [
        one for one in (folder, *folder.parents) if one.stat().st_uid == os.geteuid() and not one.stat().st_mode & 1
    ]
    modes = {one: one.stat().st_mode for one in closed}
    for one in closed:
        one.chmod(0o755)
    yield folder
    for one, mode in modes.items():
        one.chmod(mode)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name an example of bytes by its argument: compressed ones differ each time, and test processes compare names."""
    return argname if isinstance(val, bytes) else None
