"""The HTTP door: validate, then write the table."""
