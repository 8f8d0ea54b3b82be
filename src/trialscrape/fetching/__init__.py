"""Addresses to responses, politely."""

import logging

# A program that sets up no logging gets results, and nothing on its stderr.
logging.getLogger("trialscrape").addHandler(logging.NullHandler())
