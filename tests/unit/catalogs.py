"""The catalog that is shipped, and what the tests of catalogs write files with."""

from pathlib import Path

from auditlog import catalog as catalog_module
from auditlog.catalog import Catalog

CATALOG = Catalog.default()
NAMES = [each.name for each in CATALOG.types]
FILE = Path(catalog_module.__file__).with_name("catalog.toml")

# A scope to declare, and what a type needs.
SCOPE = "[scopes]\nx = {}\n"
GOOD = 'operation = "create", sentence = "{actor} did"'
