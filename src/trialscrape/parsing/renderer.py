"""A trial back to the text of its page: the layout, read backwards.

Of a page that was read without doubt, the lines that are not blank come back in their order, known chrome aside. What
the record does not hold is written in one canonical way: indents follow the nesting of the criteria, and blank lines
stand between blocks only. A stripped page comes back stripped. A section for both sides comes back as its unassigned
criteria, then inclusion, then exclusion: how they alternated on the page is not in the record. Of a page with two
sections, what is unassigned comes last.
"""

from trialscrape.parsing.layout import LAYOUT
from trialscrape.parsing.preamble import write_preamble
from trialscrape.records import Trial


def render(trial: Trial) -> str:
    """Write the page text of a trial; lines that were unparsed come last, behind the footer."""
    blocks = [*write_preamble(trial)]
    for section in LAYOUT.sections:
        lines = section.kind.write(trial)
        text = "\n".join(lines or ())
        heading = section.also[0] if section.also and not trial.phases else section.heading
        if section.tight and text:
            blocks.append(f"{heading}\n{text}")
        elif text or (lines is not None and section.expected != "maybe"):
            blocks += [heading, text]
    blocks += [line.text for line in trial.unparsed]
    separator = "\n" if trial.source.form == "stripped" else "\n\n"
    return separator.join(filter(None, blocks)) + "\n"
