"""Invented events, so that a fresh laptop stack has something to look at.

`sample_events` is a pure function of its arguments: the same ones give the same events, in the
form in which `POST /v1/orgs/{org}/events` takes them. Addresses are of the documentation ranges
(RFC 5737, RFC 3849); people, companies and repositories are invented.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from auditlog.catalog import Catalog
from auditlog.event import EXPORT_TYPE, OWN_TYPES

DAYS: Final = 90
_CLOUD_SCOPE: Final = "aws"

# Country, region, city, and the names of the people there.
_OFFICES: Final = (
    ("FR", "Île-de-France", "Paris",
     ("Amélie Laurent", "Étienne Lefèvre", "Noémie Girard", "Hugo Marchand", "Inès Benali")),
    ("FR", "Occitanie", "Toulouse", ("Baptiste Roux", "Maëlle Fontaine")),
    ("DE", "Berlin", "Berlin",
     ("Jürgen Weiß", "Lena Hoffmann", "Mehmet Aydoğan", "Katharina Groß")),
    ("PL", "Lesser Poland", "Kraków", ("Zofia Wójcik", "Łukasz Kamiński", "Agnieszka Dąbrowska")),
    ("US", "New York", "New York",
     ("Grace Porter", "Malik Johnson", "Sofía Hernández", "Daniel O'Brien", "Priya Raman")),
    ("US", "California", "San Francisco",
     ("Evelyn Chen", "Noah Feldman", "Camila Ortiz", "Wei Zhang", "Tyrone Banks")),
    ("BR", "São Paulo", "São Paulo", ("João Conceição", "Letícia Araújo", "Caio Nunes")),
    ("IN", "Karnataka", "Bengaluru", ("अनन्या राव", "Rohan Iyer", "Meera Krishnan")),
    ("JP", "Tokyo", "Tokyo", ("佐藤 美咲", "田中 健太", "Yuki Mori")),
    ("KR", "Seoul", "Seoul", ("김민준", "Seo-yeon Park")),
    ("GB", "England", "London", ("Oliver Whitfield", "Zara Ahmed", "Siân Pritchard")),
    ("EG", "Cairo", "Cairo", ("ليلى حسن", "Omar Farouk")),
)  # fmt: skip
_NAMES: Final = tuple(name for *_, names in _OFFICES for name in names)
_BLOCKS: Final = ("192.0.2.", "198.51.100.", "203.0.113.")
_MACHINES: Final = ("ci-runner", "nightly-training", "dataset-sync", "model-release", "scim-bridge")
_BROWSERS: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:139.0) Gecko/20100101 Firefox/139.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
)
_CLIENTS: Final = ("huggingface_hub/0.34.1; python/3.13.5", "git/2.50.1", "curl/8.14.1")
_CLOUD_CLIENT: Final = "aws-sdk-go-v2/1.36.5 os/linux lang/go#1.24.4"

_WORDS: Final = ("polar", "cedar", "lumen", "quartz", "harbor", "ember", "tundra", "saffron")
_NOUNS: Final = ("bert-base", "llm-7b", "embeddings", "ocr", "speech-ja", "claims", "reviews")
_FOLDERS: Final = ("acme", "acme-labs", "acme-données")

# How often these types come, where every other type of the catalog counts 1.
_WEIGHTS: Final = {
    "org.sso_login": 130, "repo.create": 60, "repo.update_settings": 60, "jobs.create": 70,
    "scheduled_job.run": 60, "oauth.token": 45, "repo.add_secret": 20, "repo.update_secret": 20,
    "repo.delete": 15, "org.invite_user": 15, "org.add_user": 12, "org.change_role": 12,
    "spaces.update_hardware": 15, "collection.create": 12, "jobs.cancel": 12,
    _CLOUD_SCOPE: 90, "repo.delete_lfs_file": 10, "resource_group.add_users": 8, "repo.move": 6,
}  # fmt: skip
_CLOUD_CALLS: Final = (
    ("s3", "GetObject", "bucket", "acme-training-data"),
    ("s3", "PutBucketPolicy", "bucket", "acme-exports"),
    ("sts", "AssumeRole", "role", "arn:aws:iam::111122223333:role/deploy"),
    ("kms", "Decrypt", "key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef"),
    ("ec2", "RunInstances", "instance", "i-0abc1234def567890"),
    ("signin", "ConsoleLogin", "console", "eu-west-1"),
)

# The field that these types change, and the values that it takes.
_CHANGES: Final[dict[str, tuple[str, tuple[object, ...]]]] = {
    "repo.update_settings": ("visibility", ("private", "public", "internal")),
    "repo.update_resource_group": ("resource_group", (None, "research", "production")),
    "repo.move": ("namespace", _FOLDERS),
    "org.rename": ("name", ("acme", "acme-corp")),
    "org.change_role": ("role", ("read", "contributor", "write", "admin")),
    "org.settings.regions": ("region", ("eu", "us")),
    "resource_group.change_role": ("role", ("read", "write", "admin")),
    "spaces.update_hardware": ("hardware", ("cpu-basic", "cpu-upgrade", "t4-small", "a100-large")),
    "spaces.update_sleep_time": ("sleep_time", (None, 3600, 172_800)),
    "jobs.update_labels": ("labels", ({}, {"team": "nlp"}, {"team": "nlp", "cost": "42"})),
    "scheduled_job.update_schedule": ("schedule", ("@daily", "@hourly", "0 3 * * 1")),
    "billing.update_subscription_plan": ("plan", ("team", "enterprise")),
}
_REASONS: Final = ("Requested in ticket OPS-2117", "Clean-up", "Part of the spring release 🚀")
# What the types that begin so act on; the first that fits. The other types name no target.
_CONCERN: Final = (
    ("org.service_account.token", "token"), ("org.service_account", "service_account"),
    ("org.token_approval.auth", "token"), ("org.rotate_token", "token"),
    ("org.settings.inference_providers.keys", "inference_provider"),
    ("org.add_user", "user"), ("org.remove_user", "user"), ("org.change_role", "user"),
    ("org.invite_user", "user"), ("org.invite.email", "email"),
    ("billing.update_payment", "payment_method"), ("billing.", "subscription"),
    ("repo.", "repo"), ("spaces.", "space"), ("collection.", "collection"),
    ("jobs.", "job"), ("scheduled_job.", "scheduled_job"),
    ("resource_group.", "resource_group"), ("oauth.", "oauth_app"),
)  # fmt: skip
_MACHINE_SHARE: Final = {"jobs": 0.5, "scheduled_job": 0.8, "oauth": 0.3, "repo": 0.15, "aws": 0.8}
_OFF_HOURS_SHARE: Final = 0.05
_MORE_TARGETS_SHARE: Final = 0.1
_REASON_SHARE: Final = 0.15
_BY_SYSTEM: Final = frozenset({"billing.renew_subscription", "repo.disable", "org.join.automatic"})


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody or something that acts, always from the same place."""

    actor: dict[str, Any]
    block: str
    location: dict[str, str] | None
    user_agent: str | None
    credentials: tuple[dict[str, str], ...]


def sample_events(now: datetime, count: int = 3000, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`count` valid events of the `DAYS` days before `now` (with an offset), oldest first.

    People work on weekdays and by day, machines at any hour. From 500 events on, every type of
    the catalog occurs, and so does the open scope. Each event has its own `key`.
    """
    rng = Random(seed)  # noqa: S311 -- it makes samples, not secrets
    people = [*_people(rng)]
    machines = [*_machines(rng)]
    system = _Person({"id": "system", "name": "Acme Hub", "type": "system"}, "", None, None, ())
    drafts: list[tuple[datetime, str, _Person]] = []
    for type_name in _types(rng, count):
        if type_name in _BY_SYSTEM:
            doer = system
        elif rng.random() < _MACHINE_SHARE.get(type_name.partition(".")[0], 0):
            doer = rng.choice(machines)
        else:
            doer = rng.choice(people)
        drafts.append((_moment(rng, now, by_day=doer in people), type_name, doer))
    drafts.sort(key=lambda draft: draft[0])
    for number, (moment, type_name, doer) in enumerate(drafts):
        yield {**_event(rng, moment, type_name, doer), "key": f"sample-{seed}-{number:05}"}


def _people(rng: Random) -> Iterator[_Person]:
    for office, (country, region, city, names) in enumerate(_OFFICES):
        for name in names:
            number = _NAMES.index(name)
            token = {"type": "access_token", "id": f"tok_{number:04}", "name": "laptop"}
            role = rng.choice(("read", "write", "fineGrained"))
            yield _Person(
                {"id": f"usr_{number:04}", "name": name},
                rng.choice((*_BLOCKS, f"2001:db8:{office + 16:x}:")),
                {"country": country, "region": region, "city": city},
                rng.choice(_BROWSERS),
                (
                    {"type": "session", "id": f"ses_{rng.getrandbits(32):08x}"},
                    {**token, "role": role, "last4": f"{rng.getrandbits(16):04x}"},
                    {"type": "oauth_app", "id": "app_notebooks", "name": "Notebooks"},
                ),
            )


def _machines(rng: Random) -> Iterator[_Person]:
    for number, name in enumerate(_MACHINES):
        yield _Person(
            {"id": f"svc_{name}", "name": name, "type": "service_account"},
            f"2001:db8:{0xC1 + number:x}:",
            {"country": "US", "region": "Virginia", "city": "Ashburn"},
            rng.choice(_CLIENTS),
            ({"type": "api_key", "id": f"key_{rng.getrandbits(32):08x}", "name": name},),
        )


def _types(rng: Random, count: int) -> list[str]:
    types = (each.name for each in Catalog.default().types)
    # The service's own are taken from nobody, but for the downloads.
    taken = (name for name in types if not name.startswith(OWN_TYPES) or name == EXPORT_TYPE)
    names = [*taken, _CLOUD_SCOPE]
    drawn = rng.choices(names, [_WEIGHTS.get(name, 1) for name in names], k=count)
    if count >= max(500, len(names)):
        drawn[: len(names)] = names
    return drawn


def _moment(rng: Random, now: datetime, *, by_day: bool) -> datetime:
    while True:
        ago = timedelta(microseconds=rng.randrange(1, DAYS * 86_400_000_000))
        moment = now - ago
        at_work = moment.hour in range(7, 19) and moment.weekday() in range(5)
        if at_work or not by_day or rng.random() < _OFF_HOURS_SHARE:
            return moment


def _event(rng: Random, moment: datetime, type_name: str, doer: _Person) -> dict[str, Any]:
    target: dict[str, str] | None
    metadata: dict[str, Any] = {"request_id": f"req-{rng.getrandbits(64):016x}"}
    user_agent = doer.user_agent
    if type_name == _CLOUD_SCOPE:
        service, action, kind, identity = rng.choice(_CLOUD_CALLS)
        type_name = f"{_CLOUD_SCOPE}.{service}.{action}"
        target = {"type": kind, "id": identity}
        metadata["aws_region"] = "eu-west-1"
        user_agent = _CLOUD_CLIENT
    else:
        target = _target(rng, type_name)
    targets = [target] if target else []
    if target and rng.random() < _MORE_TARGETS_SHARE:
        targets += [more for _ in range(rng.randrange(1, 5)) if (more := _target(rng, type_name))]
    description = rng.choice(_REASONS) if rng.random() < _REASON_SHARE else None
    if type_name in _CHANGES:
        changed, values = _CHANGES[type_name]
        before, after = rng.sample(values, 2)
        metadata |= {"before": {changed: before}, "after": {changed: after}}
        description = f"Changed {changed.replace('_', ' ')} from {before} to {after}"
    credential = rng.choice(doer.credentials) if doer.credentials else None
    if credential and credential["type"] == "access_token":
        user_agent = rng.choice(_CLIENTS)
    event = {
        "type": type_name,
        "occurred_at": moment.isoformat(timespec="microseconds"),
        "actor": doer.actor,
        "description": description,
        "targets": targets,
        "ip": _address(rng, doer.block),
        "location": doer.location,
        "user_agent": user_agent,
        "credential": credential,
        "metadata": metadata,
    }
    return {name: value for name, value in event.items() if value}


def _address(rng: Random, block: str) -> str | None:
    host = rng.randrange(1, 255) if "." in block else f":{rng.getrandbits(16):x}"
    return f"{block}{host}" if block else None


def _target(rng: Random, type_name: str) -> dict[str, str] | None:
    kind = next((kind for start, kind in _CONCERN if type_name.startswith(start)), None)
    if kind is None:
        return None
    number = rng.randrange(168)
    word, noun = _WORDS[number % 8], _NOUNS[number // 8 % 7]
    match kind:
        case "user":
            number %= len(_NAMES)
            return {"type": kind, "id": f"usr_{number:04}", "name": _NAMES[number]}
        case "email":
            return {"type": kind, "id": f"{word}.{noun}@example.com"}
        case "repo" | "space" | "collection":
            name = f"{_FOLDERS[number // 56]}/{word}-{noun}"
        case _:
            name = f"{word}-{noun}"
    return {"type": kind, "id": f"{kind}_{number:04}", "name": name}
