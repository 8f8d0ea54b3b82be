"""How far a run of `scrape` is: a bar on a terminal, elsewhere a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from trialscrape.cli.console import echo_note
from trialscrape.scraping.progress import RunProgress
from trialscrape.wording import write_count

EVERY = 30.0
"""Seconds between two lines."""

Report = Callable[[RunProgress], None]

_UNITS = (("days", 86_400), ("h", 3600), ("min", 60))
_MANY = 1.5  # of a unit: less is said in the smaller one


@contextmanager
def report_run(*, quiet: bool = False, bar: bool = True) -> Iterator[Report]:
    """Yield the function that shows how far a run is.

    Args:
        quiet: Print nothing.
        bar: Show a bar where stderr is a terminal; not where records go to that terminal too.
    """
    console = Console(stderr=True)
    if quiet:
        yield write_lines(partial(echo_note, quiet=True))  # into the log
    elif not console.is_terminal:
        yield write_lines(echo_note)
    else:
        columns = (BarColumn(bar_width=10), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True, disable=not bar) as shown:
            task = shown.add_task("")
            begin = write_estimate(echo_note)

            def update(progress: RunProgress) -> None:
                begin(progress)
                done, total = progress.requests, progress.expected_requests
                if not total:  # all pages are kept
                    done, total = progress.ids_done, progress.ids
                shown.update(task, completed=done, total=total, description=describe_progress(progress))

            yield update


def write_lines(write: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> Report:
    """Make the function that writes the estimate at once, and a line every 30 seconds."""
    due = clock() + EVERY
    begin = write_estimate(write)

    def report(progress: RunProgress) -> None:
        nonlocal due
        begin(progress)
        if clock() >= due:
            due = clock() + EVERY
            write(describe_progress(progress))

    return report


def write_estimate(write: Callable[[str], None]) -> Report:
    """Make the function that writes, when it is first called, how many requests are to come, if any."""
    is_first = True

    def report(progress: RunProgress) -> None:
        nonlocal is_first
        if is_first and progress.expected_requests:
            requests = write_count(progress.expected_requests, "request")
            write(f"about {requests}, {write_duration(progress.seconds_left)}")
        is_first = False

    return report


def describe_progress(progress: RunProgress) -> str:
    """Write how far a run is: `120 of about 300 requests, 55 of 150 ids, about 3 min left`."""
    failed = f" ({progress.ids_failed:,} failed)" if progress.ids_failed else ""
    ids = f"{progress.ids_done:,} of {write_count(progress.ids, 'id')}{failed}"
    if not progress.expected_requests:
        return ids
    requests = f"{progress.requests:,} of about {write_count(progress.expected_requests, 'request')}"
    return f"{requests}, {ids}, about {write_duration(progress.seconds_left)} left"


def write_duration(seconds: float) -> str:
    """Write about how long something takes: `80 s`, `3 min`, `26 h`, `2 days`."""
    for unit, size in _UNITS:
        if seconds >= _MANY * size:
            return f"{round(seconds / size)} {unit}"
    return f"{max(round(seconds), 1 if seconds else 0)} s"
