"""What a study page prints for the registry's values, for the pages that `pages` writes.

Written from the layout of real pages and from the registry's own data dictionary. It shares nothing with the
vocabulary that the parser uses, so that an error in one shows against the other. Values that no page has shown yet have
the registry's display wording.
"""

from collections.abc import Mapping

STATUSES: Mapping[str, str] = {
    "ACTIVE_NOT_RECRUITING": "Active, not recruiting",
    "COMPLETED": "Completed",
    "ENROLLING_BY_INVITATION": "Invitation-only",
    "NOT_YET_RECRUITING": "Not yet enrolling",
    "RECRUITING": "Enrolling",
    "SUSPENDED": "Suspended",
    "TERMINATED": "Terminated",
    "WITHDRAWN": "Withdrawn",
    "AVAILABLE": "Available",
    "NO_LONGER_AVAILABLE": "No longer available",
    "TEMPORARILY_NOT_AVAILABLE": "Temporarily not available",
    "APPROVED_FOR_MARKETING": "Approved for marketing",
    "WITHHELD": "Withheld",
    "UNKNOWN": "Unknown",
}
PHASES: Mapping[str, str] = {
    "EARLY_PHASE1": "Early Phase 1",
    "PHASE1": "Phase 1",
    "PHASE2": "Phase 2",
    "PHASE3": "Phase 3",
    "PHASE4": "Phase 4",
}
"""In rising order. `NA` is not here: the page of such a study has no phase."""

STUDY_TYPES: Mapping[str, str] = {
    "EXPANDED_ACCESS": "Expanded Access",
    "INTERVENTIONAL": "Interventional",
    "OBSERVATIONAL": "Observational",
}
FUNDERS: Mapping[str, str] = {
    "NIH": "NIH",
    "FED": "Other U.S. Federal agency",
    "OTHER_GOV": "OTHER_GOV",
    "INDIV": "INDIV",
    "INDUSTRY": "Industry",
    "NETWORK": "NETWORK",
    "AMBIG": "AMBIG",
    "OTHER": "Other",
    "UNKNOWN": "UNKNOWN",
}
IDENTIFIERS: Mapping[str, str] = {
    "NIH": "U.S. NIH Grant/Contract",
    "FDA": "U.S. FDA Grant/Contract",
    "VA": "U.S. VA Grant/Contract",
    "CDC": "U.S. CDC Grant/Contract",
    "AHRQ": "U.S. AHRQ Grant/Contract",
    "SAMHSA": "U.S. SAMHSA Grant/Contract",
    "OTHER_GRANT": "Other Grant/Funding Number",
    "EUDRACT_NUMBER": "EudraCT Number",
    "CTIS": "EU Trial (CTIS) Number",
    "REGISTRY": "Registry Identifier",
    "OTHER": "Other Identifier",
}
TREATMENTS: Mapping[str, str] = {
    "BEHAVIORAL": "Behavioral",
    "BIOLOGICAL": "Biological",
    "COMBINATION_PRODUCT": "Combination Product",
    "DEVICE": "Device",
    "DIAGNOSTIC_TEST": "Diagnostic Test",
    "DIETARY_SUPPLEMENT": "Dietary Supplement",
    "DRUG": "Drug",
    "GENETIC": "Genetic",
    "PROCEDURE": "Procedure",
    "RADIATION": "Radiation",
    "OTHER": "Other",
}
ARMS: Mapping[str, str] = {
    "EXPERIMENTAL": "Experimental",
    "ACTIVE_COMPARATOR": "Active Comparator",
    "PLACEBO_COMPARATOR": "Placebo Comparator",
    "SHAM_COMPARATOR": "Sham Comparator",
    "NO_INTERVENTION": "No Intervention",
    "OTHER": "Other",
}
"""Without the ` group` that follows on the page."""

SEXES: Mapping[str, str] = {"FEMALE": "Female", "MALE": "Male", "ALL": "All"}
VOLUNTEERS: Mapping[bool, str] = {True: "Accepts Healthy Volunteers", False: "No Healthy Volunteers"}
PURPOSES: Mapping[str, str] = {
    "TREATMENT": "Treatment",
    "PREVENTION": "Prevention",
    "DIAGNOSTIC": "Diagnostic",
    "ECT": "Educational/Counseling/Training",
    "SUPPORTIVE_CARE": "Supportive Care",
    "SCREENING": "Screening",
    "HEALTH_SERVICES_RESEARCH": "Health Services Research",
    "BASIC_SCIENCE": "Basic Science",
    "DEVICE_FEASIBILITY": "Device Feasibility",
    "OTHER": "Other",
}
ALLOCATIONS: Mapping[str, str] = {"RANDOMIZED": "Randomized", "NON_RANDOMIZED": "Non-Randomized", "NA": "N/A"}
MODELS: Mapping[str, str] = {
    "SINGLE_GROUP": "Single Group Assignment",
    "PARALLEL": "Parallel Assignment",
    "CROSSOVER": "Crossover Assignment",
    "FACTORIAL": "Factorial Assignment",
    "SEQUENTIAL": "Sequential Assignment",
}
MASKINGS: Mapping[str, str] = {
    "NONE": "None (Open label)",
    "SINGLE": "Single Blind",
    "DOUBLE": "Double Blind",
    "TRIPLE": "Triple Blind",
    "QUADRUPLE": "Quadruple Blind",
}
