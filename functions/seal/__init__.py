"""Digests of the log, built behind the clock."""
