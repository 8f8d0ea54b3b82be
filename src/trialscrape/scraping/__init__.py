"""NCT ids to records."""
