"""What `make dev` says once the stack is up."""

from collections.abc import Mapping
from typing import Any


def text(stack: Mapping[str, Any], link: str) -> str:
    """Where the stack is, how to get in, and commands that work as they are printed.

    `link` opens the console for a person.
    """
    url, org, key = stack["api_url"], stack["org"], stack["admin_key"]
    return f"""
auditlog is up. To look around, for eight hours and without changing anything:

  {link}

  console    {stack["console_url"]}   (with the admin key: settings and downloads too)
  API        {url}
  org        {org}
  admin key  {key}

In another terminal:

  export AUDITLOG_API_URL='{url}'
  export AUDITLOG_ORG='{org}'
  export AUDITLOG_KEY='{key}'

  # the five newest events
  curl -s -H "Authorization: Bearer $AUDITLOG_KEY" \\
    "$AUDITLOG_API_URL/v1/orgs/$AUDITLOG_ORG/events?limit=5"

  # publish one
  curl -s -H "Authorization: Bearer $AUDITLOG_KEY" \\
    "$AUDITLOG_API_URL/v1/orgs/$AUDITLOG_ORG/events" --data-binary @- <<EOF
  {{"type": "repo.create", "occurred_at": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
    "actor": {{"id": "me"}}}}
EOF

  # the same with the command line
  .venv/bin/auditlog search --type repo --limit 5
  .venv/bin/auditlog export --format ndjson

Ctrl-C ends it.
"""
