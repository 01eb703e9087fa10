"""The console: the page an org's admin lives in, and what serves it."""
