"""Records and results to files."""
