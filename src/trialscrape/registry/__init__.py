"""What the registry says of an NCT id."""
