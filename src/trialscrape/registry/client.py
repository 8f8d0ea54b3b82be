"""What the registry says of an NCT id: whether it knows it, its current id, its titles, and what else a page shows.

Ids are requested in lists. An id that a list lacks, be it an old id, an unknown one, or one whose record could not be
read, is requested alone, and so are all ids of a list that failed: only the registry's answer for the very id says
what becomes of it.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from pydantic import JsonValue, TypeAdapter

from trialscrape.fetching.fetcher import Fetcher
from trialscrape.registry.mapping import FIELDS, RegistryAnswer, read_answer, read_list, read_study
from trialscrape.settings import Settings
from trialscrape.store.runs import KeptAnswer
from trialscrape.store.store import Store

MAX_ADDRESS = 8_000
"""Characters of an address; many servers refuse a request line of more than 8,192 bytes."""

_KEPT = TypeAdapter(RegistryAnswer)


def look_up(fetcher: Fetcher, settings: Settings, nct_id: str) -> RegistryAnswer:
    """Ask the registry for one id, current or old.

    Raises:
        Stopped: The fetcher was stopped.
    """
    return read_answer(fetcher.get(_add_fields(settings.registry_url(nct_id))), nct_id)


def fetch_study(
    fetcher: Fetcher, settings: Settings, nct_id: str
) -> tuple[dict[str, JsonValue] | None, RegistryAnswer]:
    """Ask the registry for the whole record of one study; None where there is none. The answer says why.

    Raises:
        Stopped: The fetcher was stopped.
    """
    return read_study(fetcher.get(settings.registry_url(nct_id)), nct_id)


class LookAhead:
    """The registry's answers for the ids of a run; safe to use from several threads.

    Answers are kept in the store until their id is finished, so that a resumed run does not ask again.

    Args:
        fetcher: Asks.
        settings: Where the registry is, and how many ids a list has.
        store: Keeps the answers, and knows the pages of some ids; those are in no list.
        run_key: The run, begun.
        ids: All NCT ids that the run may look up, in their order.
    """

    def __init__(self, fetcher: Fetcher, settings: Settings, store: Store, run_key: str, ids: Iterable[str]) -> None:
        self._fetcher, self._settings, self._store, self._run_key = fetcher, settings, store, run_key
        self._turn = threading.Lock()
        self._lists = _divide((nct_id for nct_id in ids if self._is_open(nct_id)), settings)
        self._unlisted: dict[str, int] = {}  # ids whose list failed, and the requests that count for each

    def look_up(self, nct_id: str) -> RegistryAnswer:
        """Return the answer for an id: the kept one, or that of the next list, or its own.

        Raises:
            Stopped: The fetcher was stopped.
            StoreError: The store cannot be read or written.
        """
        with self._turn:
            while self._is_open(nct_id) and (ids := next(self._lists, ())):
                self._request_list(ids)
            kept = self._store.runs.find_answer(self._run_key, nct_id)
            attempts = kept.attempts if kept else self._unlisted.pop(nct_id, 0)
        if kept and kept.answer:
            return _KEPT.validate_json(kept.answer)
        answer = look_up(self._fetcher, self._settings, nct_id)
        answer = replace(answer, attempts=answer.attempts + attempts)
        if answer.status == "found":
            self._store.runs.keep_answers(self._run_key, [_dump(answer)])
        return answer

    def _is_open(self, nct_id: str) -> bool:
        """Tell whether an id still has to be requested in a list."""
        if nct_id in self._unlisted or self._store.pages.has_match(nct_id):
            return False
        return self._store.runs.find_answer(self._run_key, nct_id) is None

    def _request_list(self, ids: tuple[str, ...]) -> None:
        """Request a list of ids, and keep what the registry says of each. The requests count for the first."""
        if len(ids) == 1:
            self._unlisted[ids[0]] = 0
            return
        response = self._fetcher.get(_add_fields(self._settings.registry_list_url(ids)))
        attempts = dict.fromkeys(ids, 0) | {ids[0]: response.attempts}
        listed = read_list(response)
        if listed is None:
            self._unlisted |= attempts
            return
        self._store.runs.keep_answers(
            self._run_key,
            [
                _dump(replace(listed[nct_id], attempts=attempts[nct_id], url=self._settings.registry_url(nct_id)))
                if nct_id in listed
                else KeptAnswer(nct_id, attempts[nct_id], None)
                for nct_id in ids
            ],
        )


def list_size(settings: Settings) -> int:
    """Return how many ids the address of a list has room for."""
    room = MAX_ADDRESS - len(_add_fields(settings.registry_list_url([])))
    return max(1, min(settings.registry_batch, room // len("NCT00000000,")))


def _dump(answer: RegistryAnswer) -> KeptAnswer:
    return KeptAnswer(answer.requested_id, answer.attempts, _KEPT.dump_json(answer).decode())


def _divide(ids: Iterator[str], settings: Settings) -> Iterator[tuple[str, ...]]:
    """Divide ids into lists that an address has room for."""
    most = list_size(settings)
    while ids_of_list := tuple(islice(ids, most)):
        yield ids_of_list


def _add_fields(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}fields={','.join(FIELDS)}"
