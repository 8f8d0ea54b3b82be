from collections.abc import Iterator

import pytest

from support.network import SITE
from trialscrape.testing.replica import Replica


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica(SITE) as running:
        yield running
