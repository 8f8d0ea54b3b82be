"""Batches of pages on several processes: what a killed process leaves unread is read again, and nothing is lost."""

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import TypeVar

from trialscrape.results import Batch, Outcome, PageResult

T = TypeVar("T")

_PATIENCE = 10.0  # seconds
_AHEAD = 4  # batches a job: the next one waits while the results of the last ones are written


def map_on_cores(work: Callable[[Batch], T], batches: Iterator[Batch], jobs: int) -> Iterator[T]:
    """Read batches in several processes; one that is killed costs at most the page that it cannot read."""
    unread: list[Batch] = []
    while True:
        unread = yield from _map_until_killed(work, chain(unread, batches), jobs)
        if not unread:
            return
        # The batch at which the results ended need not be the one that a process died of, so it is read alone.
        yield from _map_alone(work, unread.pop(0))


def _map_until_killed(
    work: Callable[[Batch], T], batches: Iterator[Batch], jobs: int
) -> Generator[T, None, list[Batch]]:
    """Read batches until all are read, or a process is killed; return those whose results are lost."""
    unread: deque[Batch] = deque()
    results: deque[Future[T]] = deque()
    with _open_pool(jobs) as pool, suppress(BrokenExecutor):
        while True:
            for batch in islice(batches, _AHEAD * jobs - len(unread)):
                unread.append(batch)
                results.append(pool.submit(work, batch))
            if not unread:
                break
            result = results.popleft().result()
            unread.popleft()
            yield result
    return list(unread)


def _map_alone(work: Callable[[Batch], T], batch: Batch) -> Iterator[T]:
    """Read a batch with nothing beside it; where its process is killed again, do so page by page."""
    with _open_pool(1) as pool, suppress(BrokenExecutor):
        result = pool.submit(work, batch).result()
        yield result
        return
    if len(batch) > 1:
        for item in batch:
            yield from _map_alone(work, [item])
        return
    (item,) = batch
    file = item if isinstance(item, str) else item.file or ""
    yield work([PageResult(file, Outcome.INTERNAL_ERROR, _KILLED)])


_KILLED = "the process that read this page was killed; it may need more memory than there is"


@contextmanager
def _open_pool(jobs: int) -> Iterator[Executor]:
    """Open a pool of processes; leaving it early ends them at once."""
    before, threads_before = set(multiprocessing.active_children()), set(threading.enumerate())
    # Not a fork of this process, which may have threads; a server forks faster than a new Python starts.
    context = multiprocessing.get_context(_START_METHOD)
    context.set_forkserver_preload(["trialscrape.engines"])
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_ignore_interrupts)
    threads: set[threading.Thread] = set()
    try:
        with _hold_interrupts():
            pool.submit(int)  # starts all processes, and a thread that speaks with them
            threads = {thread for thread in threading.enumerate() if not thread.daemon} - threads_before
        yield pool
        pool.shutdown()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        begun = set(multiprocessing.active_children()) - before
        for process in begun:
            process.kill()
        for process in begun:
            process.join()
        # Python would wake that thread when it ends itself, and may find it just ending.
        for thread in threads:
            thread.join(_PATIENCE)


_START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@contextmanager
def _hold_interrupts() -> Iterator[None]:
    """Let Ctrl-C wait: amid the start of a process it would leave one that nobody knows of, without what it needs."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_interrupts() -> None:
    # Ctrl-C goes to all processes of a terminal; the one that started the others ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
