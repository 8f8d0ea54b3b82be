"""A replica of the site with a dozen studies, and a folder to run commands in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import STUDIES, Runner
from trialscrape.testing.replica import Replica, Site


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica(Site(studies=STUDIES)) as running:
        yield running


@pytest.fixture
def run(replica: Replica, tmp_path: Path) -> Runner:
    return Runner(replica, tmp_path)
