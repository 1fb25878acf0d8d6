"""Rows on their way to a network: from CSV and from arrays."""
