"""What is kept between runs: the pages, whose they are, how far a run came, and the slug index.

A store is one SQLite file. All times are aware datetimes, kept in UTC to the second. A store may be used from several
threads; they take turns.
"""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from trialscrape.store.database import Database, open_reading, open_writing
from trialscrape.store.pages import Pages
from trialscrape.store.runs import Runs
from trialscrape.store.slug_index import SlugIndex


class Store:
    """A store, open; a context manager that closes it.

    Every method raises `StoreError` where the file cannot be read or written.

    Attributes:
        path: The file, as it was given.
        database: The file, open.
        pages: Every version of every page, and which id each page belongs to.
        runs: How far each run came.
        slugs: What the sitemap lists.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.path = database.path
        self.pages = Pages(database)
        self.runs = Runs(database)
        self.slugs = SlugIndex(database)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, lock: bool = True) -> Self:
        """Open a store, and make it or bring it up to date where needed.

        Args:
            path: The file; its folder must exist.
            lock: Hold the store for writing, alone. Without, the file must exist and is only read, also while another
                run writes it.

        Raises:
            StoreError: Another run holds the store, or the file is missing, foreign, newer than this code, or cannot
                be read or written.
        """
        return cls(open_writing(Path(path)) if lock else open_reading(Path(path)))

    def close(self) -> None:
        """Close the file and release the lock."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transaction(self, *, synced: bool = True) -> AbstractContextManager[None]:
        """Write several things as one: `Database.transaction`."""
        return self.database.transaction(synced=synced)
