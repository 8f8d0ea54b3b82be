"""The layout of a study page: one row a section, from the top to the bottom.

A heading changes, or a section appears: that is one row here, and for a new section one field in `records`. What stands
above the first heading has none, and is read by `preamble`.
"""

import re
from typing import Final

from trialscrape.parsing import values
from trialscrape.parsing.kinds import (
    Contacts,
    Criteria,
    DesignHeading,
    DesignLine,
    Footer,
    Identifiers,
    Line,
    Lines,
    Nothing,
    ParticipantsAndArms,
    Prose,
    Status,
)
from trialscrape.parsing.preamble import SITE
from trialscrape.parsing.sections import Layout, Section
from trialscrape.parsing.values import make_label

BOTH: Final = "both"
FULL: Final = "full"
MAYBE: Final = "maybe"
_TWO_SIDES = ("inclusion", "exclusion")
_MODEL = make_label("InterventionalAssignment")
_NO_DESIGN = ("EXPANDED_ACCESS", "OBSERVATIONAL")
_BEHIND_PROSE = (values.ENROLLMENT, values.AGES, values.VOLUNTEERS)
_FOOTER = re.compile(
    r"Clinical trials|Find clinical trialsTrials by location|Research sites|Resources|Legal"
    r"|© Copyright [0-9]{4} Veeva Systems"
)
_SHOWN_FOOTER = ("Clinical trials", "", "Find clinical trialsTrials by location", "© Copyright 2026 Veeva Systems")

# fmt: off
SECTIONS = (
    Section("status", Status("Status"), BOTH, "Status and phase", also=("Status",), once=True),
    Section("conditions", Lines("conditions", values.WORDS),             BOTH,  "Conditions"),
    Section("treatments", Lines("interventions", values.INTERVENTION),   MAYBE, "Treatments"),
    Section("study_type", Line("study_type", make_label("StudyType")),     FULL,  "Study type"),
    Section("funder_types", Lines("funder_types", make_label("AgencyClass")), MAYBE, "Funder types"),
    Section("identifiers", Identifiers("identifiers", values.IDENTIFIER), FULL, "Identifiers"),
    Section("details", Nothing(), FULL, "Details and patient eligibility", once=True, of_the_site=True),
    Section("about", Prose("brief_summary", _BEHIND_PROSE),              BOTH,  "About"),
    Section("full_description", Prose("detailed_description", _BEHIND_PROSE), MAYBE, "Full description"),
    Section("enrollment", Line("enrollment", values.ENROLLMENT),         MAYBE, "Enrollment", repeated=True),
    Section("sex", Line("sex", make_label("Sex")),                         BOTH,  "Sex"),
    Section("ages", Line("ages", values.AGES),                           MAYBE, "Ages"),
    Section("volunteers", Line("healthy_volunteers", values.VOLUNTEERS), BOTH,  "Volunteers"),
    Section("inclusion", Criteria("inclusion"),                          BOTH,  "Inclusion criteria"),
    Section("exclusion", Criteria("exclusion"),                          BOTH,  "Exclusion criteria"),
    Section("criteria", Criteria(None), MAYBE, "Inclusion and exclusion criteria", stands_for=_TWO_SIDES),
    Section("design", DesignHeading(_NO_DESIGN),                         FULL,  "Trial design", excused_for=_NO_DESIGN),
    Section("primary_purpose", DesignLine("primary_purpose", make_label("PrimaryPurpose")), MAYBE, "Primary purpose"),
    Section("allocation", DesignLine("allocation", make_label("DesignAllocation")), MAYBE, "Allocation"),
    Section("intervention_model", DesignLine("intervention_model", _MODEL), MAYBE, "Interventional model"),
    Section("masking", DesignLine("masking", make_label("DesignMasking")), MAYBE, "Masking"),
    Section("participants", ParticipantsAndArms(),                              MAYBE, ""),
    Section("documents", Line("document_count", values.COUNT),           MAYBE, "Trial documents", tight=True),
    Section("locations", Line("location_count", values.COUNT),           FULL,  "Trial contacts and locations"),
    Section("loading", Nothing(),                                        FULL,  "Loading..."),
    Section("contacts", Contacts("central_contacts", values.CONTACTS),   MAYBE, "Central trial contact"),
    Section("end", Footer(_FOOTER, _SHOWN_FOOTER),                       BOTH,  "Data sourced from clinicaltrials.gov"),
)
# fmt: on

LAYOUT = Layout(SITE, SECTIONS)
"""The layout of every study page."""
