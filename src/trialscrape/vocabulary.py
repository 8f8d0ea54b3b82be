"""The closed vocabularies: what a page prints, and the registry's code for it.

Labels are those met on real pages, codes the enumerations of the ClinicalTrials.gov API v2. A label that is not here
is unknown: it is kept as it is, gets no code, and is reported. Adding one is one line.
"""

STATUS = {
    "Active, not recruiting": "ACTIVE_NOT_RECRUITING",
    "Completed": "COMPLETED",
    "Enrolling": "RECRUITING",
    "Invitation-only": "ENROLLING_BY_INVITATION",
    "Not yet enrolling": "NOT_YET_RECRUITING",
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
    "Health Services Research": "HEALTH_SERVICES_RESEARCH",
    "Other": "OTHER",
    "Prevention": "PREVENTION",
    "Screening": "SCREENING",
    "Treatment": "TREATMENT",
}
ALLOCATION = {
    "N/A": "NA",
    "Non-Randomized": "NON_RANDOMIZED",
    "Randomized": "RANDOMIZED",
}
INTERVENTION_MODEL = {
    "Crossover Assignment": "CROSSOVER",
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

VOCABULARIES = {
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
"""Every vocabulary under the name of its registry enumeration."""

HEALTHY_VOLUNTEERS = {"Accepts Healthy Volunteers": True, "No Healthy Volunteers": False}
AGE_UNIT = {
    "minute": "MINUTES",
    "hour": "HOURS",
    "day": "DAYS",
    "week": "WEEKS",
    "month": "MONTHS",
    "year": "YEARS",
}
