"""Clinical study pages of ClinicalTrials.Veeva as validated records."""

__version__ = "0.1.0"
