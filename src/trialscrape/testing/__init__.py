"""The replica of the site, for demo and tests."""
