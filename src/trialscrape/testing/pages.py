"""Study pages as the site would show them, written from records of the registry's API (version 2).

    registry JSON + Display ─▶ sections ─▶ text, HTML, stripped text

The layout is that of real pages. Nothing here comes from the parser, its vocabulary or its renderer, so a page that is
written here and parsed back is a proof of both. What the registry holds and no page shows (dates, outcomes, keywords,
collaborators' names, telephone numbers) is left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from trialscrape.testing import labels
from trialscrape.testing.markdown import ListBlock, MarkdownBlock, collapse_blanks, read_markdown

RegistryStudy = Mapping[str, Any]
"""A study in the shape of the registry's API; only `protocolSection` and `documentSection` count."""

_LONG_LINE = 40  # characters from which on a readability filter keeps a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What the site decides about a page, and the registry does not say.

    Attributes:
        shows_identifiers: Whether `Identifiers` stands over them, or over nothing, as on every fifth page.
        shows_status: Whether the status is shown; expanded access can lack it.
        begins_in: For a study that is not yet recruiting, the months until it begins, if they are shown.
        has_logo: Whether the sponsor has a logo, or the first letter of its name.
        reverses_funders: Whether the sponsor's own class comes last.
        referring_site: The research site of the banner and whether it is Veeva-enabled, if there is a banner.
        has_site_links: Whether the footer links to the site's own pages, or to its search.
        year: The year of the copyright.
    """

    shows_identifiers: bool = True
    shows_status: bool = True
    begins_in: int | None = None
    has_logo: bool = False
    reverses_funders: bool = False
    referring_site: tuple[str, bool] | None = None
    has_site_links: bool = False
    year: int = 2026


@dataclass(frozen=True, slots=True)
class PageSection:
    """A heading, and the lines or the long text under it; `is_tight` where no blank line is between."""

    heading: str
    lines: tuple[str, ...] = ()
    blocks: tuple[MarkdownBlock, ...] = ()
    is_tight: bool = False


def get_part(study: RegistryStudy, *names: str) -> Any:  # noqa: ANN401  it is JSON
    """Return a part of the protocol by its path; None where the study lacks it."""
    part: Any = study["protocolSection"]
    for name in names:
        part = part.get(name) if part else None
    return part


def print_label(table: Mapping[str, str], code: str) -> str:
    """Return what the page prints for a code; for one that no table has, its words."""
    return table.get(code) or code.replace("_", " ").title()


def print_title(study: RegistryStudy) -> str:
    """Return the title line: the brief title, and the acronym in a bracket."""
    acronym = get_part(study, "identificationModule", "acronym")
    title = collapse_blanks(get_part(study, "identificationModule", "briefTitle"))
    return f"{title} ({acronym})" if acronym else title


def print_status(study: RegistryStudy, display: Display) -> str | None:
    """Return the status line, if the page shows one."""
    code = get_part(study, "statusModule", "overallStatus")
    if not display.shows_status:
        return None
    if code == "NOT_YET_RECRUITING" and display.begins_in:
        return f"Begins enrollment in {_print_number(display.begins_in, 'month')}"
    return print_label(labels.STATUSES, code)


def list_phases(study: RegistryStudy) -> list[str]:
    """List the codes of the phases that the page shows, the higher first."""
    phases = get_part(study, "designModule", "phases") or []
    return [phase for phase in list(labels.PHASES)[::-1] if phase in phases]


def list_funders(study: RegistryStudy, display: Display) -> list[str]:
    """List the classes of the sponsor and its collaborators, each once."""
    sponsors = get_part(study, "sponsorCollaboratorsModule")
    classes = [sponsors["leadSponsor"].get("class"), *(each.get("class") for each in sponsors.get("collaborators", ()))]
    distinct = list(dict.fromkeys(filter(None, classes)))
    return distinct[::-1] if display.reverses_funders else distinct


def list_identifiers(study: RegistryStudy, display: Display) -> list[tuple[str, str | None]]:
    """List the identifiers that the page shows, each with the code of its type, the NCT id first."""
    names = get_part(study, "identificationModule")
    others = [names.get("orgStudyIdInfo", {}), *names.get("secondaryIdInfos", ())]
    ids = [
        (names["nctId"], None),
        *((collapse_blanks(each["id"]), each.get("type")) for each in others if "id" in each),
    ]
    return ids if display.shows_identifiers else []


def get_enrollment(study: RegistryStudy) -> tuple[int, str] | None:
    """Return the count and its type where the page has them: no withdrawn study, and no expanded access."""
    info = get_part(study, "designModule", "enrollmentInfo")
    is_withdrawn = get_part(study, "statusModule", "overallStatus") == "WITHDRAWN"
    if not info or is_withdrawn or get_part(study, "designModule", "studyType") == "EXPANDED_ACCESS":
        return None
    return info["count"], info.get("type", "ACTUAL")


def print_ages(study: RegistryStudy) -> str | None:
    """Return the ages line; None for a study without limits, whose page has no such heading."""
    low, high = (get_part(study, "eligibilityModule", name) for name in ("minimumAge", "maximumAge"))
    if not (low or high):
        return None
    if not low:
        return f"Under {_print_age(high)} old"
    if not high:
        count, unit = low.split()
        return f"{count}+ {unit.lower().removesuffix('s')}s old"
    if low.split()[1].removesuffix("s") == high.split()[1].removesuffix("s"):
        return f"{low.split()[0]} to {_print_age(high)} old"
    return f"{_print_age(low)} to {_print_age(high)} old"


def get_design(study: RegistryStudy) -> dict[str, str] | None:
    """Return the four codes of the design by the record's names; a page has all of them or none."""
    info = get_part(study, "designModule", "designInfo") or {}
    codes = {
        "primary_purpose": info.get("primaryPurpose"),
        "allocation": info.get("allocation"),
        "intervention_model": info.get("interventionModel"),
        "masking": (info.get("maskingInfo") or {}).get("masking"),
    }
    return {part: code for part, code in codes.items() if code} if all(codes.values()) else None


def list_arms(study: RegistryStudy) -> list[Mapping[str, Any]]:
    """List the arm groups."""
    return get_part(study, "armsInterventionsModule", "armGroups") or []


def list_treatments(study: RegistryStudy) -> list[tuple[str, str]]:
    """List the code of the type and the name of each treatment."""
    rows = get_part(study, "armsInterventionsModule", "interventions") or []
    return [(row["type"], collapse_blanks(row["name"])) for row in rows]


def count_participants(study: RegistryStudy) -> tuple[int, int, bool] | None:
    """Return the numbers of the sentence above the arms, and whether it speaks of a placebo group."""
    arms = list_arms(study)
    if not arms:
        return None
    count = (get_part(study, "designModule", "enrollmentInfo") or {}).get("count", 0)
    return count, len(arms), any(arm.get("type") == "PLACEBO_COMPARATOR" for arm in arms)


def split_criteria(study: RegistryStudy) -> tuple[str, str] | None:
    """Split the criteria into inclusion and exclusion; None where the page has one section for both.

    Pages with two headings are those whose text has the registry's own two lines.
    """
    text = get_part(study, "eligibilityModule", "eligibilityCriteria") or ""
    match = _TWO_SIDES.fullmatch(text)
    return (match[1], match[2]) if match else None


_TWO_SIDES = re.compile(r"\s*Inclusion Criteria:[ ]*\n\n(.*?)\n\nExclusion Criteria:[ ]*\n\n(.*)", re.DOTALL)


def list_contacts(study: RegistryStudy) -> list[str]:
    """List the names of the central contacts."""
    contacts = get_part(study, "contactsLocationsModule", "centralContacts") or []
    return [collapse_blanks(contact["name"]) for contact in contacts]


def count_documents(study: RegistryStudy) -> int | None:
    """Count the documents of the study; None where it has none, so that the page lacks the heading."""
    documents = study.get("documentSection", {}).get("largeDocumentModule", {}).get("largeDocs", ())
    return len(documents) or None


def count_locations(study: RegistryStudy) -> int:
    """Count the locations."""
    return len(get_part(study, "contactsLocationsModule", "locations") or ())


def print_arm(arm: Mapping[str, Any]) -> list[str]:
    """Return the lines of an arm; its description is no markdown to the site, so escapes stand as they are."""
    lines = [collapse_blanks(arm["label"])]
    if arm.get("type"):
        lines.append(f"{print_label(labels.ARMS, arm['type'])} group")
    if arm.get("description"):
        lines += ["Description:", collapse_blanks(arm["description"])]
    if arm.get("interventionNames"):
        lines += ["Treatment:", *map(collapse_blanks, arm["interventionNames"])]
    return lines


def write_text(study: RegistryStudy, display: Display | None = None) -> str:
    """Write a page as the text that an HTML-to-text extractor prints of it."""
    display = display or Display()
    sponsor = _get_sponsor(study)
    banner = _write_banner(display)
    head = [["ClinicalTrials.Veeva"], ["Menu", *banner[:2]], *([line] for line in banner[2:]), [print_title(study)]]
    chunks = [*head, [_write_mark(sponsor, display)], [sponsor]]
    for section in _make_sections(study, display):
        values = list(section.lines) or write_blocks(section.blocks)
        chunks += (
            [[section.heading, *values]] if section.is_tight else [[section.heading] * bool(section.heading), values]
        )
    chunks += [[line] for line in ("Data sourced from clinicaltrials.gov", "Clinical trials")]
    chunks += [list(_list_footer(display))]
    return "\n\n".join("\n".join(chunk) for chunk in chunks if chunk)


def write_html(study: RegistryStudy, display: Display | None = None) -> str:
    """Write a page as HTML, with the markup that gives such a text, and nothing of it in scripts."""
    display = display or Display()
    sponsor, title = _get_sponsor(study), print_title(study)
    mark = _write_mark(sponsor, display)
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{_quote(title)} | ClinicalTrials.Veeva</title>",
        "<script>var heading = '<h2>Conditions</h2>';</script></head><body>",
        "<header><nav><a><span>ClinicalTrials</span>.<b>Veeva</b></a><p>Menu</p></nav></header><main>",
        *(f"<div>{_quote(line)}</div>" for line in _write_banner(display)),
        f"<h1>{_quote(title)}</h1>",
        f'<div><img alt="{_quote(mark)}"></div>' if display.has_logo else f"<div><span>{_quote(mark)}</span></div>",
        f"<p>{_quote(sponsor)}</p>",
    ]
    for section in _make_sections(study, display):
        values = _quote_lines(section.lines)
        if section.is_tight:
            parts.append(f"<p>{_quote(section.heading)}<br>{'<br>'.join(map(_quote, section.lines))}</p>")
        else:
            heading = f"<h3>{_quote(section.heading)}</h3>" if section.heading else ""
            parts.append(f'<section class="c">{heading}<div>{values}{_mark_up(section.blocks)}</div></section>')
    footer = "".join(f"<div>{_quote(line)}</div>" for line in _list_footer(display))
    parts.append("</main><footer><p>Data sourced from clinicaltrials.gov</p><h4>Clinical trials</h4>")
    return "\n".join([*parts, f"{footer}</footer></body></html>"])


def write_stripped_text(study: RegistryStudy, display: Display | None = None) -> str:
    """Write what a readability filter leaves of a page: headings, long lines without markers, and the sentence."""
    sections = _make_sections(study, display or Display())
    without = {
        "Details and patient eligibility",
        "Trial design",
        "Trial contacts and locations",
        "Central trial contact",
    }
    lines = []
    for section in sections:
        if section.heading in without or section.is_tight:
            continue
        if section.heading:
            lines.append(section.heading)
        elif section.lines and "participants in" in section.lines[0]:
            lines.append(section.lines[0])
        text = (line.strip(" ") for line in write_blocks(section.blocks, shows_markers=False))
        lines += [line for line in text if len(line) >= _LONG_LINE]
    footer = ("Data sourced from clinicaltrials.gov", "Clinical trials", "Research sites", "Resources", "Legal")
    return "\n".join([*lines, *footer])


def write_wordless_text(study: RegistryStudy, display: Display | None = None) -> str:
    """Write a page as its text without the lines of a single word."""
    return "\n".join(line for line in write_text(study, display).split("\n") if not line or " " in line.strip(" "))


def _make_sections(study: RegistryStudy, display: Display) -> Iterator[PageSection]:
    """Make the sections below the sponsor, down to the contacts, in the order of the page."""
    is_expanded = get_part(study, "designModule", "studyType") == "EXPANDED_ACCESS"
    phases = [labels.PHASES[phase] for phase in list_phases(study)]
    status = print_status(study, display)
    yield PageSection("Status and phase" if phases else "Status", (*([status] if status else []), *phases))
    yield PageSection("Conditions", tuple(map(collapse_blanks, get_part(study, "conditionsModule", "conditions"))))
    treatments = tuple(f"{print_label(labels.TREATMENTS, code)}: {name}" for code, name in list_treatments(study))
    if treatments:
        yield PageSection("Treatments", treatments)
    yield PageSection("Study type", (labels.STUDY_TYPES[get_part(study, "designModule", "studyType")],))
    funders = tuple(print_label(labels.FUNDERS, code) for code in list_funders(study, display))
    if funders:
        yield PageSection("Funder types", funders)
    ids = list_identifiers(study, display)
    yield PageSection("Identifiers", tuple(f"{value}{_write_type(code)}" for value, code in ids))
    yield PageSection("Details and patient eligibility")
    yield PageSection("About", blocks=read_markdown(get_part(study, "descriptionModule", "briefSummary")))
    description = get_part(study, "descriptionModule", "detailedDescription")
    if description:
        yield PageSection("Full description", blocks=read_markdown(description))
    yield from _make_eligibility(study)
    if not is_expanded:
        yield from _make_design(study)
    documents = count_documents(study)
    if documents:
        yield PageSection("Trial documents", (str(documents),), is_tight=True)
    yield PageSection("Trial contacts and locations", (f"{count_locations(study):,}",))
    yield PageSection("Loading...")
    if contacts := list_contacts(study):
        yield PageSection("Central trial contact", ("; ".join(contacts),))


def _make_eligibility(study: RegistryStudy) -> Iterator[PageSection]:
    enrollment = get_enrollment(study)
    if enrollment:
        count, kind = enrollment
        yield PageSection("Enrollment", (_print_number(count, f"{'estimated ' * (kind == 'ESTIMATED')}patient"),))
    yield PageSection("Sex", (labels.SEXES[get_part(study, "eligibilityModule", "sex")],))
    ages = print_ages(study)
    if ages:
        yield PageSection("Ages", (ages,))
    yield PageSection("Volunteers", (labels.VOLUNTEERS[get_part(study, "eligibilityModule", "healthyVolunteers")],))
    sides = split_criteria(study)
    if sides:
        for heading, text in zip(("Inclusion criteria", "Exclusion criteria"), sides, strict=True):
            yield PageSection(heading, blocks=read_markdown(text))
    else:
        text = get_part(study, "eligibilityModule", "eligibilityCriteria") or ""
        yield PageSection("Inclusion and exclusion criteria", blocks=read_markdown(text))


def _make_design(study: RegistryStudy) -> Iterator[PageSection]:
    design, sentence = get_design(study), count_participants(study)
    if design or sentence or get_part(study, "designModule", "studyType") == "INTERVENTIONAL":
        yield PageSection("Trial design")
    if design:
        yield PageSection("Primary purpose", (print_label(labels.PURPOSES, design["primary_purpose"]),))
        yield PageSection("Allocation", (print_label(labels.ALLOCATIONS, design["allocation"]),))
        yield PageSection("Interventional model", (print_label(labels.MODELS, design["intervention_model"]),))
        yield PageSection("Masking", (print_label(labels.MASKINGS, design["masking"]),))
    if sentence:
        count, groups, has_placebo = sentence
        words = f"{_print_number(count, 'participant')} in {_print_number(groups, 'patient group')}"
        yield PageSection("", (words + ", including a placebo group" * has_placebo,))
        yield PageSection("", tuple(line for arm in list_arms(study) for line in print_arm(arm)))


def _get_sponsor(study: RegistryStudy) -> str:
    return collapse_blanks(get_part(study, "sponsorCollaboratorsModule", "leadSponsor", "name"))


def _write_mark(name: str, display: Display) -> str:
    return f"{name} logo" if display.has_logo else name[0]


def _write_banner(display: Display) -> tuple[str, ...]:
    if display.referring_site is None:
        return ()
    name, is_enabled = display.referring_site
    return ("The trial is taking place at:", _write_mark(name, display), name, *["Veeva-enabled site"][:is_enabled])


def _list_footer(display: Display) -> tuple[str, ...]:
    links = (
        ("Research sites", "Resources", "Legal")
        if display.has_site_links
        else ("Find clinical trialsTrials by location",)
    )
    return (*links, f"© Copyright {display.year} Veeva Systems")


def _write_type(code: str | None) -> str:
    return f" ({print_label(labels.IDENTIFIERS, code)})" if code else ""


def _print_number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _print_age(age: str) -> str:
    count, unit = age.split()
    return _print_number(int(count), unit.lower().removesuffix("s"))


def write_blocks(blocks: Iterable[MarkdownBlock], *, shows_markers: bool = True) -> list[str]:
    """Write blocks as lines, one blank line between any two but around a comment."""
    lines: list[str] = []
    for line in _write_all(blocks, shows_markers=shows_markers):
        if line or lines[-1:] not in ([], [""]):
            lines.append(line)
    return lines[:-1] if lines[-1:] == [""] else lines


def _write_all(blocks: Iterable[MarkdownBlock], *, shows_markers: bool) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, ListBlock):
            yield from _write_list(block, 1, shows_markers=shows_markers)
        else:
            yield from block.lines
        if isinstance(block, ListBlock) or not block.is_comment:
            yield ""


def _write_list(block: ListBlock, level: int, *, shows_markers: bool) -> Iterator[str]:
    """Write a list; no blank line follows a nested one."""
    pad = "  " * level
    for number, item in enumerate(block.items, 1):
        marker = f"{number}. " if block.is_ordered else "• "
        lead = pad + marker * shows_markers
        for part in item:
            if isinstance(part, ListBlock):
                yield from _write_list(part, level + 1, shows_markers=shows_markers)
                continue
            for line in part.lines:
                yield lead + line
                lead = f"{pad}  "
            if block.is_loose and not part.is_comment:
                yield ""


def _mark_up(blocks: Iterable[MarkdownBlock], *, is_tight: bool = False) -> str:
    return "".join(_mark_up_block(block, is_tight=is_tight) for block in blocks)


def _mark_up_block(block: MarkdownBlock, *, is_tight: bool) -> str:
    if isinstance(block, ListBlock):
        tag = "ol" if block.is_ordered else "ul"
        items = "".join(f"<li>{_mark_up(item, is_tight=not block.is_loose)}</li>" for item in block.items)
        return f"<{tag}>{items}</{tag}>"
    text = "<br>".join(map(_quote, block.lines))
    return text if is_tight or block.is_comment else f"<p>{text}</p>"


def _quote_lines(lines: Sequence[str]) -> str:
    if len(lines) == 1:
        return f"<p>{_quote(lines[0])}</p>"
    return "".join(f"<div>{_quote(line)}</div>" for line in lines)


def _quote(text: str) -> str:
    return escape(text).replace("\xa0", "&nbsp;")
