"""The closed vocabularies: what a page prints, and the registry's code for it.

Codes are the enumerations of the ClinicalTrials.gov API v2. Labels are those seen on real pages and, in `NOT_SEEN`, the
registry's own wording of what no page has shown yet. A label that is not here is unknown: it keeps its words, gets no
code, and is reported. Adding one is one line.
"""

import re
from collections.abc import Mapping

STATUS = {
    "Active, not recruiting": "ACTIVE_NOT_RECRUITING",
    "Completed": "COMPLETED",
    "Enrolling": "RECRUITING",
    "Invitation-only": "ENROLLING_BY_INVITATION",
    "Not yet enrolling": "NOT_YET_RECRUITING",
    "Suspended": "SUSPENDED",
    "Terminated": "TERMINATED",
    "Unknown": "UNKNOWN",
    "Withdrawn": "WITHDRAWN",
}
PHASE = {
    "Early Phase 1": "EARLY_PHASE1",
    "Phase 1": "PHASE1",
    "Phase 2": "PHASE2",
    "Phase 3": "PHASE3",
    "Phase 4": "PHASE4",
}
INTERVENTION_TYPE = {
    "Behavioral": "BEHAVIORAL",
    "Biological": "BIOLOGICAL",
    "Combination Product": "COMBINATION_PRODUCT",
    "Device": "DEVICE",
    "Diagnostic Test": "DIAGNOSTIC_TEST",
    "Dietary Supplement": "DIETARY_SUPPLEMENT",
    "Drug": "DRUG",
    "Genetic": "GENETIC",
    "Other": "OTHER",
    "Procedure": "PROCEDURE",
    "Radiation": "RADIATION",
}
STUDY_TYPE = {
    "Expanded Access": "EXPANDED_ACCESS",
    "Interventional": "INTERVENTIONAL",
    "Observational": "OBSERVATIONAL",
}
FUNDER_TYPE = {
    "Industry": "INDUSTRY",
    "NETWORK": "NETWORK",
    "NIH": "NIH",
    "Other": "OTHER",
    "Other U.S. Federal agency": "FED",
}
IDENTIFIER_TYPE = {
    "EudraCT Number": "EUDRACT_NUMBER",
    "Other Grant/Funding Number": "OTHER_GRANT",
    "Other Identifier": "OTHER",
    "Registry Identifier": "REGISTRY",
    "U.S. NIH Grant/Contract": "NIH",
}
SEX = {
    "All": "ALL",
    "Female": "FEMALE",
    "Male": "MALE",
}
PRIMARY_PURPOSE = {
    "Basic Science": "BASIC_SCIENCE",
    "Health Services Research": "HEALTH_SERVICES_RESEARCH",
    "Other": "OTHER",
    "Prevention": "PREVENTION",
    "Screening": "SCREENING",
    "Supportive Care": "SUPPORTIVE_CARE",
    "Treatment": "TREATMENT",
}
ALLOCATION = {
    "N/A": "NA",
    "Non-Randomized": "NON_RANDOMIZED",
    "Randomized": "RANDOMIZED",
}
INTERVENTION_MODEL = {
    "Crossover Assignment": "CROSSOVER",
    "Factorial Assignment": "FACTORIAL",
    "Parallel Assignment": "PARALLEL",
    "Single Group Assignment": "SINGLE_GROUP",
}
MASKING = {
    "Double Blind": "DOUBLE",
    "None (Open label)": "NONE",
    "Quadruple Blind": "QUADRUPLE",
    "Single Blind": "SINGLE",
    "Triple Blind": "TRIPLE",
}
ARM_TYPE = {
    "Active Comparator": "ACTIVE_COMPARATOR",
    "Experimental": "EXPERIMENTAL",
    "No Intervention": "NO_INTERVENTION",
    "Other": "OTHER",
    "Placebo Comparator": "PLACEBO_COMPARATOR",
    "Sham Comparator": "SHAM_COMPARATOR",
}

NOT_SEEN: Mapping[str, Mapping[str, str]] = {
    "Status": {
        "Approved for marketing": "APPROVED_FOR_MARKETING",
        "Available": "AVAILABLE",
        "No longer available": "NO_LONGER_AVAILABLE",
        "Temporarily not available": "TEMPORARILY_NOT_AVAILABLE",
        "Withheld": "WITHHELD",
    },
    "AgencyClass": {
        "AMBIG": "AMBIG",
        "INDIV": "INDIV",
        "OTHER_GOV": "OTHER_GOV",
        "UNKNOWN": "UNKNOWN",
    },
    "SecondaryIdType": {
        "EU Trial (CTIS) Number": "CTIS",
        "U.S. AHRQ Grant/Contract": "AHRQ",
        "U.S. CDC Grant/Contract": "CDC",
        "U.S. FDA Grant/Contract": "FDA",
        "U.S. SAMHSA Grant/Contract": "SAMHSA",
        "U.S. VA Grant/Contract": "VA",
    },
    "PrimaryPurpose": {
        "Device Feasibility": "DEVICE_FEASIBILITY",
        "Diagnostic": "DIAGNOSTIC",
        "Educational/Counseling/Training": "ECT",
    },
    "InterventionalAssignment": {
        "Sequential Assignment": "SEQUENTIAL",
    },
}
"""The registry's display wording of values that no page has shown yet, by enumeration."""

SEEN: Mapping[str, Mapping[str, str]] = {
    "Status": STATUS,
    "Phase": PHASE,
    "InterventionType": INTERVENTION_TYPE,
    "StudyType": STUDY_TYPE,
    "AgencyClass": FUNDER_TYPE,
    "SecondaryIdType": IDENTIFIER_TYPE,
    "Sex": SEX,
    "PrimaryPurpose": PRIMARY_PURPOSE,
    "DesignAllocation": ALLOCATION,
    "InterventionalAssignment": INTERVENTION_MODEL,
    "DesignMasking": MASKING,
    "ArmGroupType": ARM_TYPE,
}
"""The labels that pages have shown, under the name of their registry enumeration."""

VOCABULARIES = {name: {**labels, **NOT_SEEN.get(name, {})} for name, labels in SEEN.items()}
"""Every vocabulary under the name of its registry enumeration."""

PATTERNS: Mapping[str, tuple[tuple[re.Pattern[str], str], ...]] = {
    "Status": ((re.compile("Begins enrollment in [0-9]{1,3} months?"), "NOT_YET_RECRUITING"),),
}
"""Labels that hold a number, and their code, by enumeration."""

HEALTHY_VOLUNTEERS = {"Accepts Healthy Volunteers": True, "No Healthy Volunteers": False}
AGE_UNIT = {
    "minute": "MINUTES",
    "hour": "HOURS",
    "day": "DAYS",
    "week": "WEEKS",
    "month": "MONTHS",
    "year": "YEARS",
}
AGE_UNITS_A_YEAR = {
    "minute": 525_960,
    "hour": 8_766,
    "day": 365.25,
    "week": 365.25 / 7,
    "month": 12,
    "year": 1,
}
