"""The commands: where each is, and what its help says besides its options. One table, which imports none of them."""

from typing import NamedTuple

SITE = "https://example.org/trialscrape/docs/"
"""Where the docs are published."""


class Command(NamedTuple):
    """A command, as help lists and explains it.

    Attributes:
        function: The module beside this one, and the function in it.
        summary: What it does, in a line of the list of commands.
        page: The page of the docs about it, as a file in `docs/` without `.md`.
        examples: Commands to copy; a test runs them.
        well: What exit code 0 says.
        failed: What exit code 1 says.
        trouble: What exit code 2 says.
        variables: The environment variables that it reads, out of `VARIABLES`.
    """

    function: str
    summary: str
    page: str
    examples: tuple[str, ...]
    well: str
    failed: str
    trouble: str = "wrong usage; nothing was done"
    variables: tuple[str, ...] = ()


VARIABLES = {
    "TRIALSCRAPE_STORE": "the store, where --store names none",
    "TRIALSCRAPE_SITE": "the site, as https://ctv.veeva.com",
    "TRIALSCRAPE_…": f"each setting of {SITE}scrape/#assumptions",
    "NO_COLOR": "any value: no colours",
}
"""What each environment variable sets."""

_STORE, _SITE, _SETTINGS, _NO_COLOR = VARIABLES
_COMPARES = "trouble, or wrong usage"

EXIT_CODES = {130: "stopped by Ctrl-C", 141: "the reader of stdout left early"}
"""What the codes say that every command may end with."""

ROOT_EXAMPLES = (
    "trialscrape show page.html                       # a study page that you saved, to look at",
    "trialscrape parse page.html -o trials.jsonl      # the same as a record",
    "trialscrape scrape NCT04280705 -o trials.jsonl   # a study by its id, fetched",
)

GROUPS = {
    "index": "The local index of the site's study addresses.",
    "store": "The store of fetched pages.",
}
"""Commands that only have commands."""

COMMANDS = {
    "parse": Command(
        "parse:parse_pages",
        "Read saved study pages and write a record for each.",
        "files",
        (
            "trialscrape parse page.html",
            "trialscrape parse pages/ crawl.warc.gz -o trials.jsonl",
            "trialscrape parse pages/ -o trials.csv --fields nct_id,title,phases",
        ),
        "every page has a record",
        "a page has none, or there was no page",
        variables=(_SITE, _SETTINGS),
    ),
    "criteria": Command(
        "criteria:print_criteria",
        "Read the eligibility criteria of any text.",
        "criteria",
        ("trialscrape criteria protocol.txt", "trialscrape criteria - < protocol.txt"),
        "the text was read",
        "it cannot be read, or is empty",
    ),
    "scrape": Command(
        "scrape:scrape_ids",
        "Fetch study pages by NCT id and write a record for each.",
        "scrape",
        (
            "trialscrape scrape NCT04280705 -o trials.jsonl",
            "trialscrape scrape -i ids.csv -o trials.jsonl",
            "trialscrape scrape NCT04280705 --dry-run",
        ),
        "every id has a record",
        "an id has none, or one of a stale page",
        variables=(_STORE, _SITE, _SETTINGS),
    ),
    "convert": Command(
        "convert:convert",
        "Write records in another format.",
        "exports",
        (
            "trialscrape convert trials.jsonl trials.csv",
            "trialscrape convert trials.jsonl trials.db",
            "trialscrape convert trials.jsonl --tables tables/",
        ),
        "all records are written",
        "a record cannot be read, there is none, or the output cannot be written",
    ),
    "check": Command(
        "inspect:check",
        "Report how well pages are understood.",
        "warnings",
        ("trialscrape check pages/", "trialscrape check page.html --json"),
        "all pages are understood",
        "something is unknown, a page failed, or there was none: the site may have changed",
        variables=(_SITE, _SETTINGS),
    ),
    "report": Command(
        "report:write_report",
        "Write one HTML page about pages, to look at.",
        "report",
        ("trialscrape report pages/ -o report.html",),
        "the report is written, and some page was read",
        "no page was read",
        variables=(_SITE, _SETTINGS),
    ),
    "show": Command(
        "show:show",
        "Show records in a readable layout.",
        "index",
        (
            "trialscrape show page.html",
            "trialscrape show trials.jsonl NCT04280705",
            "trialscrape show NCT04280705 --full",
            "trialscrape parse page.html | trialscrape show -",
        ),
        "every record is shown",
        "a page gives none, or an id is not there",
        variables=(_STORE, _NO_COLOR),
    ),
    "schema": Command(
        "inspect:schema",
        "Print the JSON Schema of a record.",
        "exports",
        ("trialscrape schema > trial.schema.json",),
        "it is printed",
        "stdout cannot be written",
    ),
    "find": Command(
        "find:find",
        "Find study pages by words of their titles, offline.",
        "changes",
        ("trialscrape find alport 'syndrom*'", "trialscrape find alport | trialscrape scrape -i - -o trials.jsonl"),
        "something was found",
        "nothing was, or there is no index yet",
        variables=(_STORE, _SITE, _SETTINGS),
    ),
    "diff": Command(
        "diff:diff",
        "Show what changed between two sets of records.",
        "changes",
        (
            "trialscrape diff old.jsonl new.jsonl",
            "trialscrape diff trialscrape.db@2026-01-31 trialscrape.db --json",
        ),
        "nothing changed",
        "something changed",
        _COMPARES,
        variables=(_NO_COLOR,),
    ),
    "verify": Command(
        "verify:verify_records",
        "Compare records with the registry's.",
        "changes",
        ("trialscrape verify trials.jsonl", "trialscrape verify trials.jsonl --against registry/"),
        "nothing differs",
        "something differs, or a study could not be compared",
        _COMPARES,
        variables=(_SETTINGS, _NO_COLOR),
    ),
    "explain": Command(
        "explain:explain",
        "Say what a warning or an outcome means.",
        "warnings",
        ("trialscrape explain doubtful_side",),
        "it is explained",
        "stdout cannot be written",
        "there is no such code, or wrong usage",
    ),
    "index sync": Command(
        "store:index_sync",
        "Read the site's sitemaps into the index.",
        "changes",
        ("trialscrape index sync",),
        "all sitemaps were read",
        "one was not, or not whole",
        variables=(_STORE, _SITE, _SETTINGS),
    ),
    "index status": Command(
        "store:index_status",
        "Print the size and the age of the index.",
        "changes",
        ("trialscrape index status",),
        "it is printed",
        "the store cannot be read",
        variables=(_STORE,),
    ),
    "store list": Command(
        "history:list_kept",
        "List the kept pages.",
        "changes",
        ("trialscrape store list",),
        "they are listed",
        "the store cannot be read",
        variables=(_STORE,),
    ),
    "store history": Command(
        "history:history",
        "List the versions of a study's page, and what changed.",
        "changes",
        ("trialscrape store history NCT04280705",),
        "they are listed",
        "the store has no page of it, or cannot be read",
        variables=(_STORE,),
    ),
    "store show": Command(
        "history:show_page",
        "Show the record of a kept page, or the page itself.",
        "changes",
        (
            "trialscrape store show NCT04280705",
            "trialscrape store show NCT04280705 --version 1 --page > page.html",
        ),
        "it is shown",
        "the store has no such page, or the page gives no record",
        variables=(_STORE, _NO_COLOR),
    ),
    "store prune": Command(
        "history:prune",
        "Remove older versions of pages, for good.",
        "changes",
        ("trialscrape store prune --keep 3 --dry-run", "trialscrape store prune --keep 3"),
        "they are removed, or were counted",
        "the store cannot be read or written",
        variables=(_STORE,),
    ),
    "store export": Command(
        "store:store_export",
        "Write the kept pages as WARC or WACZ.",
        "files",
        ("trialscrape store export pages.warc.gz", "trialscrape store export pages.wacz"),
        "they are written",
        "the store cannot be read, or the archive not written",
        variables=(_STORE,),
    ),
    "store import": Command(
        "store:store_import",
        "Read the pages of a WARC file into the store.",
        "files",
        ("trialscrape store import pages.warc.gz",),
        "the whole file was read",
        "something in it cannot be read, or the store not written",
        variables=(_STORE,),
    ),
}
"""The commands by name, in the order in which help lists them."""
