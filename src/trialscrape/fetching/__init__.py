"""Addresses to responses, politely."""
