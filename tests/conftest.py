"""What holds for all tests, and what tests of several modules share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# A shell starts what runs in the background with SIGINT ignored, and every process that a test starts would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


# No test is timed: how long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

SLOW = {
    *("test_browser_files", "test_cli", "test_cli_ids", "test_cli_scrape", "test_docs", "test_faults", "test_fetch"),
    *("test_generated_arms", "test_generated_criteria", "test_html", "test_main", "test_memory", "test_properties"),
    *("test_replica", "test_scrape", "test_scrape_again", "test_sitemap", "test_store", "test_warc", "test_registry"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow modules."""
    for item in items:
        if item.path.stem in SLOW:
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
