"""An org's own affairs: its keys."""
