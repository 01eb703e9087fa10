"""Reading: search, one event, the catalog, the specification, and all unknown paths."""
