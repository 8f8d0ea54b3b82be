"""An invented study page that the tests vary."""

PAGE = """ClinicalTrials.Veeva

Menu

Tree Bathing for Restless Clerks (TREEBATH)

I

Institute for Arboreal Medicine

Status and phase

Enrolling
Phase 2

Conditions

Restlessness
Clerk, Weary

Treatments

Behavioral: Tree bathing
Other: Potted plant

Study type

Interventional

Funder types

Other
NIH

Identifiers

NCT99000100
IAM-7 (Other Identifier)

Details and patient eligibility

About

Clerks sit under trees.

Do they rest?

Full description

A longer text about trees.

Enrollment

1,240 estimated patients

Sex

All

Ages

18 to 65 years old

Volunteers

Accepts Healthy Volunteers

Inclusion criteria

  • Clerk by trade
  • Restless

Exclusion criteria

  • Fear of trees

Trial design

Primary purpose

Treatment

Allocation

Randomized

Interventional model

Parallel Assignment

Masking

None (Open label)

1,240 participants in 2 patient groups

Forest
Experimental group
Description:
One hour under an oak.
Treatment:
Behavioral: Tree bathing
Office
Active Comparator group
Treatment:
Other: Potted plant

Trial documents
1

Trial contacts and locations

3

Loading...

Central trial contact

Flora Example

Data sourced from clinicaltrials.gov

Clinical trials

Find clinical trialsTrials by location
© Copyright 2026 Veeva Systems
"""


LINES = sum(line != "" for line in PAGE.split("\n"))
"""How many of its lines are not blank."""


def with_(*changes: tuple[str, str]) -> str:
    """Return the page with each old text replaced by the new one; the old text must be there."""
    page = PAGE
    for old, new in changes:
        assert old in page, old
        page = page.replace(old, new, 1)
    return page
