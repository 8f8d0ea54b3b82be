"""What tests of several modules share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


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
