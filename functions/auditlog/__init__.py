"""The shared package of auditlog: the record, its stores, and how it is read.

README.md beside this file tells the life of an event.
"""

__version__ = "0.1.0"
