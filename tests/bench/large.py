"""One large org: a million varied events of 90 days, made fast, and loaded fast.

    entries = large.events(1_000_000)                       # the same ones each time
    large.load(client, table, layout.partition, entries)    # into an engine on loopback

An event is made as the text of its record, not as a dictionary that is checked,
normalised and encoded: `event.admit` alone takes 2.5 times as long as all of this.
`published` gives it back in the form in which it would have been sent, and the tests
hold `event.admit` of that against the record. Who, where and what is drawn as it is in
a real log: a few do much and many do little, from their own places, on weekdays and by
day. Any part can be made by itself: `events(count, start=..., stop=...)`.

In it are needles, of which exactly so many exist (`NEEDLES`).
"""

import base64
import functools
import hashlib
import hmac
import http.client
import itertools
import json
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from auditlog import canonical, clock
from auditlog.catalog import Catalog
from auditlog.event import Record, event_id
from infra import samples
from tests.bench import corpus

ORG = corpus.ORG
SECRET = corpus.SECRET
DAYS = 90
NOW = clock.parse("2026-06-01T00:00:00Z")
SINCE = NOW - DAYS * clock.DAY

#: Who does the most, about every twentieth event; and the type of about every eleventh.
COMMON_ACTOR = "usr_00000"
COMMON_ACTOR_NAME = "Ada Abara"
COMMON_TYPE = "jobs.create"

#: Fewer events have no room for the needles.
MIN_EVENTS = 10_000


class Entry(NamedTuple):
    """An event as the log would have it."""

    record: Record
    recorded_at: int


@dataclass(frozen=True)
class Needle:
    """What a search finds exactly `hits` times, with these parameters of the API."""

    parameters: Mapping[str, str]
    hits: int
    #: What a record of such an event has in its bytes, and no other record.
    marks: tuple[bytes, ...]


_RARE_ACTOR = "usr_1f0e6c"
_RARE_TARGET = "6610a4f2c83e5b7d9012aa37"
_RARE_BLOCK = "203.0.113.0"
_RARE_CREDENTIAL = "tok_5e11a9c03d"
_WORD = "heliotrope"
#: The day of the word, a Wednesday, as a number of days after `SINCE`.
_DAY_OF_WORD = 52

NEEDLES: Mapping[str, Needle] = {
    "actor": Needle({"actor": _RARE_ACTOR}, 12, (f'"id":"{_RARE_ACTOR}"'.encode(),)),
    "target": Needle({"target": _RARE_TARGET}, 4, (f'"id":"{_RARE_TARGET}"'.encode(),)),
    "ip": Needle({"ip": f"{_RARE_BLOCK}/24"}, 20, (f'"ip":"{_RARE_BLOCK}"'.encode(),)),
    "credential": Needle(
        {"q": f"credential:{_RARE_CREDENTIAL}"}, 15, (f'"id":"{_RARE_CREDENTIAL}"'.encode(),)
    ),
    "word": Needle({"q": _WORD}, 30, (_WORD.encode(),)),
    "actor and type": Needle(
        {"actor": COMMON_ACTOR, "type": COMMON_TYPE},
        40,
        (
            f'"actor":{{"id":"{COMMON_ACTOR}"'.encode(),
            f'"type":"{COMMON_TYPE}"'.encode(),
        ),
    ),
}


def events(
    count: int, *, seed: int = 0, start: int = 0, stop: int | None = None
) -> Iterator[Entry]:
    """The events from `start` up to `stop` of the `count` that there are, oldest first.

    No two occur in the same microsecond, and all before `NOW`. The same arguments give
    the same events, and any part is what it is in the whole.
    """
    if count < MIN_EVENTS:
        raise ValueError(f"the needles need {MIN_EVENTS} events")
    stop = count if stop is None else min(stop, count)
    planted = _planted(count, seed)
    for first in range(start // _PART * _PART, stop, _PART):
        part = _Part(count, seed, first, planted)
        for entry in part.entries():
            if start <= part.index < stop:
                yield entry


def published(record: Record) -> dict[str, Any]:
    """The event as it would have been published."""
    event = json.loads(record.data)
    return {name: event[name] for name in event if name not in {"org", "salt", "v"}}


def item(entry: Entry, partition: str, expires_at: int | None = None) -> dict[str, Any]:
    """What `store/events.py` stores of it, in boto3's form; `expires_at` in seconds."""
    record = entry.record
    stored: dict[str, Any] = {
        "pk": {"S": partition},
        "sk": {"S": record.id},
        "r": {"B": canonical.pack(record.data)},
        "t": {"S": record.type},
        "at": {"N": str(entry.recorded_at)},
    }
    if not record.described:
        stored["s"] = {"BOOL": True}
    if expires_at is not None:
        stored["ttl"] = {"N": str(expires_at)}
    return stored


# -- what there is ------------------------------------------------------------------------

_PEOPLE = 5_000
_MACHINES = 60
_REPOS = 60_000
_PHRASES = 40_000
_DETAILS = 1_000
_WORDS = 3_000

# Of all that draw from n things, the first is drawn n ** (-1 / skew) of the time.
_PEOPLE_SKEW = 3.2
_MACHINES_SKEW = 1.7
_TARGETS_SKEW = 2.5

_AT_OFFICE, _AT_HOME = 0.8, 0.95
_DESCRIBED = 0.2
_WITH_CREDENTIAL = 0.4
_WITH_REQUEST, _WITH_TRACE, _WITH_DETAILS = 0.75, 0.45, 0.02
_WITH_MORE_TARGETS = 0.05
_WITH_ADDRESS = 0.97

_FIRST_NAMES = (
    "Ada Alan Amélie Ana Anders Anjali Aoife Ayşe Bartosz Beatriz Björn Camila Chen Chidi Clara "
    "Daniel Dmitri Élodie Emeka Emma Farah Fatima Felix Freya Giulia Grace Hana Hiroshi Ibrahim "
    "Ines Ivan Jana João Joon Kofi Lars Leila Lucía Łukasz Mads Malik Marta Mehmet Mei Nadia Noah "
    "Oluwaseun Omar Paolo Petra Priya Rafael Rania Sanjay Sofia Tariq Thandiwe Uri Yuki Zofia"
)
_LAST_NAMES = (
    "Abara Adeyemi Aguilar Ahmed Andersson Bakker Banerjee Becker Benali Bianchi Brandt Castillo "
    "Chatterjee Costa Dąbrowski Delgado Dubois Eriksen Estrada Farouk Fernandes Fischer Fontaine "
    "García Girard Haddad Hansen Hoffmann Horvat Ibrahim Ivanov Jensen Johansson Kamara Kaya Kim "
    "Kowalski Kumar Larsen Lefèvre Lindqvist Lopez Marchetti Martin Mbeki Mensah Moreau Müller "
    "Nakamura Ndiaye Nguyen Novák Nowak O'Connor Okafor Olsen Park Pereira Petrov Popescu Rahman "
    "Ramos Rossi Sato Schmidt Silva Singh Sørensen Suzuki Takahashi Tan Tanaka Torres Traoré "
    "Varga Virtanen Wagner Wang Weber Whitfield Yamamoto Yılmaz Zhang Zimmermann"
)
_CITIES = (
    ("FR", "Île-de-France", "Paris"), ("FR", "Occitanie", "Toulouse"), ("FR", "Brittany", "Rennes"),
    ("DE", "Berlin", "Berlin"), ("DE", "Bavaria", "Munich"), ("DE", "Hamburg", "Hamburg"),
    ("US", "New York", "New York"), ("US", "California", "San Francisco"),
    ("US", "Washington", "Seattle"), ("US", "Texas", "Austin"), ("US", "Illinois", "Chicago"),
    ("US", "Massachusetts", "Boston"), ("GB", "England", "London"), ("GB", "Scotland", "Edinburgh"),
    ("CH", "Zürich", "Zürich"), ("PL", "Lesser Poland", "Kraków"), ("ES", "Madrid", "Madrid"),
    ("PT", "Lisbon", "Lisbon"), ("IT", "Lombardy", "Milan"), ("SE", "Stockholm", "Stockholm"),
    ("NL", "North Holland", "Amsterdam"), ("IE", "Leinster", "Dublin"),
    ("CA", "Quebec", "Montréal"), ("CA", "Ontario", "Toronto"), ("BR", "São Paulo", "São Paulo"),
    ("IN", "Karnataka", "Bengaluru"), ("IN", "Telangana", "Hyderabad"), ("JP", "Tokyo", "Tokyo"),
    ("KR", "Seoul", "Seoul"), ("SG", "Singapore", "Singapore"), ("AU", "Victoria", "Melbourne"),
    ("NG", "Lagos", "Lagos"),
)  # fmt: skip
_SITES = (("US", "Virginia", "Ashburn"), ("IE", "Leinster", "Dublin"), ("DE", "Hesse", "Frankfurt"))
_AGENTS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) "
    f"Chrome/{version}.0.0.0 Safari/537.36"
    for system in (
        "Macintosh; Intel Mac OS X 10_15_7",
        "Windows NT 10.0; Win64; x64",
        "X11; Linux x86_64",
    )
    for version in range(134, 142)
)
_CLIENTS = tuple(
    f"{name}/{major}.{minor}"
    for name, major in (("git", 2), ("curl", 8), ("huggingface_hub", 0), ("python-requests", 2))
    for minor in (32, 34, 47, 50)
)
_TEAMS = ("platform", "nlp", "vision", "speech", "search", "safety", "robotics", "evals")
_NOUNS = (
    "bert", "llm", "embeddings", "ocr", "speech", "claims", "reviews", "tokenizer", "reranker",
    "eval", "corpus", "adapter", "distill", "diffusion", "whisper", "router",
)  # fmt: skip
_VERBS = (
    "Rotated",
    "Requested",
    "Approved",
    "Cleaned up",
    "Restored",
    "Moved",
    "Part of",
    "Paused",
)
# What everybody says, before what few say.
_COMMON_WORDS = (
    "the for release after ticket review before migration access nightly build training rollout "
    "dataset model quota cluster customer backup incident freeze audit renewal weekly export"
)
_SYLLABLES = "ka mo ri ten dal su ve lor pin qua zem tri fo bas nu gel hy sar"
_CLOUD_CALLS = (
    *samples._CLOUD_CALLS,
    ("s3", "PutObject", "bucket", "acme-checkpoints"),
    ("iam", "CreateAccessKey", "user", "deploy"),
    ("ec2", "DescribeInstances", "instance", "i-0abc1234def567890"),
    ("ec2", "TerminateInstances", "instance", "i-0abc1234def567890"),
    ("kms", "GenerateDataKey", "key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab"),
    ("lambda", "Invoke", "function", "acme-webhooks"),
)

# Some 20 of a million.
_RARE_TYPES = (
    "org.delete", "org.restore", "org.rename", "repo.delete_doi", "billing.marketplace_approve",
    "org.settings.security.2fa.disable", "billing.remove_payment_method",
)  # fmt: skip
_WEIGHT_OF_RARE = 0.015

_BY_DAY = (2, 1, 1, 1, 1, 2, 4, 8, 13, 16, 16, 15, 12, 15, 16, 16, 14, 11, 8, 6, 5, 4, 3, 2)
_WEEKEND = 0.3

# How many events are drawn from one seed.
_PART = 10_000

# Odd, so that multiplying by one of them permutes the numbers of 64 bits: every event
# has identifiers of its own, which look random and cost no draw.
_FOR_KEYS, _FOR_REQUESTS, _FOR_TARGETS = (
    0x9E3779B97F4A7C15,
    0xD1342543DE82EF95,
    0xAEF17502108EF2D9,
)
_FOR_TRACES = (0xF1357AEA2E62A9C5, 0xBF58476D1CE4E5B9)
_64_BITS = (1 << 64) - 1


def _unique(index: int, factor: int) -> str:
    return f"{(index + 1) * factor & _64_BITS:016x}"


def _dumps(value: Any) -> str:
    return canonical.encode(value).decode()


def _member(name: str, value: Any) -> str:
    """A member of a record, with the comma behind it."""
    return f'"{name}":{_dumps(value)},'


@dataclass(frozen=True, slots=True)
class _Doer:
    """Somebody or something that acts; the members of a record that are about it."""

    actor: str
    office: str
    home: str
    location: str
    agents: tuple[str, ...]
    credentials: tuple[str, ...]


_Targets = Callable[["_Part"], str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of event, and what is said of it."""

    name: str
    weight: float
    machine_share: float
    by_system: bool
    target: _Targets | None
    #: (description, before and after): one of them is drawn.
    changes: tuple[tuple[str, str], ...]
    cloud: bool


class _World:
    """The people, machines and things of the org; the same for every seed."""

    def __init__(self) -> None:
        rng = Random(2026)
        self.words = _words(rng)
        self.people = list(_people(rng))
        self.machines = list(_machines(rng))
        self.system = _Doer(
            _member("actor", {"id": "system", "name": "Acme Hub", "type": "system"}),
            "", "", "", ("",), (),
        )  # fmt: skip
        self.blocks = [person.office for person in self.people[:400]]
        self.repos = [_named(rng, "repo", self._thing(rng, n)) for n in range(_REPOS)]
        self.things = {
            kind: [_named(rng, kind, self._thing(rng, n)) for n in range(number)]
            for kind, number in _THINGS.items()
        }
        self.users = [
            f'{{{person.actor[len(_ACTOR) :].removesuffix("},")},"type":"user"}}'
            for person in self.people
        ]
        self.phrases = [_member("description", self._phrase(rng)) for _ in range(_PHRASES)]
        self.details = [self._detail(rng) for _ in range(_DETAILS)]
        self.kinds = _kinds()
        self.kind_weights = list(itertools.accumulate(kind.weight for kind in self.kinds))
        self.kind_of = {kind.name: kind for kind in self.kinds}

    def _thing(self, rng: Random, number: int) -> str:
        word = self.words[int(len(self.words) * rng.random())]
        return f"{rng.choice(_TEAMS)}/{word}-{rng.choice(_NOUNS)}-{number % 97}"

    def _phrase(self, rng: Random) -> str:
        words = [
            self.words[int(len(self.words) * rng.random() ** 3)] for _ in range(rng.randrange(3, 9))
        ]
        return f"{rng.choice(_VERBS)} {' '.join(words)}"

    def _detail(self, rng: Random) -> str:
        """A list of changes, some of them so long that the event needs two write units."""
        changes = [
            {"field": rng.choice(self.words), "from": rng.choice(self.words), "to": rng.random()}
            for _ in range(rng.randrange(4, 36))
        ]
        return _member("changes", changes)


_ACTOR = '"actor":{'
_THINGS = {
    "space": 4_000, "collection": 3_000, "resource_group": 200, "scheduled_job": 800,
    "oauth_app": 60, "service_account": 80, "inference_provider": 12, "payment_method": 8,
    "subscription": 3,
}  # fmt: skip


@functools.cache
def _world() -> _World:
    return _World()


def _words(rng: Random) -> list[str]:
    words = dict.fromkeys(_COMMON_WORDS.split())
    while len(words) < _WORDS:
        words["".join(rng.choices(_SYLLABLES.split(), k=rng.randrange(2, 5)))] = None
    return list(words)


def _named(rng: Random, kind: str, name: str) -> str:
    return _dumps({"id": f"{rng.getrandbits(96):024x}", "name": name, "type": kind})


def _people(rng: Random) -> Iterator[_Doer]:
    names = itertools.product(_LAST_NAMES.split(), _FIRST_NAMES.split())
    names = [f"{first} {last}" for last, first in names][:_PEOPLE]
    rng.shuffle(names)
    names.remove(COMMON_ACTOR_NAME)
    offices = [[_block4(100 + city, rng) for _ in range(3)] for city in range(len(_CITIES))]
    for number, name in enumerate([COMMON_ACTOR_NAME, *names]):
        city = int(len(_CITIES) * rng.random() ** 1.5)
        # Its /16, or /32, is that of a provider, which has many customers.
        home = _block4(rng.randrange(100), rng) if rng.random() < 0.7 else _block6(rng)
        agent = rng.choice(_AGENTS)
        yield _Doer(
            _member("actor", {"id": f"usr_{number:05}", "name": name}),
            _member("ip", rng.choice(offices[city])),
            _member("ip", home),
            _location(_CITIES[city]),
            tuple(_member("user_agent", one) for one in (agent, agent, rng.choice(_CLIENTS))),
            tuple(_credentials(rng)),
        )


def _credentials(rng: Random) -> Iterator[str]:
    yield _member("credential", {"type": "session", "id": f"ses_{rng.getrandbits(40):010x}"})
    for name in rng.sample(("laptop", "ci", "notebook", "cli"), 2):
        token = {"type": "access_token", "id": f"tok_{rng.getrandbits(40):010x}", "name": name}
        secret = {"role": rng.choice(("read", "write")), "last4": f"{rng.getrandbits(16):04x}"}
        yield _member("credential", token | secret)
    app = {"type": "oauth_app", "id": f"app_{rng.randrange(60):02}", "name": "Notebooks"}
    yield _member("credential", app)


def _machines(rng: Random) -> Iterator[_Doer]:
    for number in range(_MACHINES):
        name = f"{rng.choice(_TEAMS)}-{rng.choice(_NOUNS)}-{number:02}"
        block = _block4(200 + number % 9, rng) if number % 2 else _block6(rng)
        key = {"type": "api_key", "id": f"key_{rng.getrandbits(48):012x}", "name": name}
        yield _Doer(
            _member("actor", {"id": f"svc_{name}", "name": name, "type": "service_account"}),
            _member("ip", block),
            _member("ip", block),
            _location(_SITES[number % 3]),
            (_member("user_agent", rng.choice(_CLIENTS)),),
            (_member("credential", key),),
        )


def _block4(second: int, rng: Random) -> str:
    return f"10.{second}.{rng.randrange(256)}.0"


def _block6(rng: Random) -> str:
    # Six providers: a /32 each.
    return f"2001:{0xDB8 + rng.randrange(6):x}:{rng.randrange(1, 1 << 16):x}::"


def _location(place: tuple[str, str, str]) -> str:
    country, region, city = place
    return _member("location", {"country": country, "region": region, "city": city})


def _kinds() -> list[_Kind]:
    weights = samples._WEIGHTS | dict.fromkeys(_RARE_TYPES, _WEIGHT_OF_RARE)
    kinds = [
        _Kind(
            one.name,
            weights.get(one.name, 1),
            samples._MACHINE_SHARE.get(one.scope, 0),
            one.name in samples._BY_SYSTEM,
            _target_of(one.name),
            tuple(_changes(one.name)),
            cloud=False,
        )
        for one in Catalog.default().types
    ]
    for service, action, kind, identity in _CLOUD_CALLS:
        kinds.append(
            _Kind(
                f"{samples._CLOUD_SCOPE}.{service}.{action}",
                weights[samples._CLOUD_SCOPE] / len(_CLOUD_CALLS),
                samples._MACHINE_SHARE[samples._CLOUD_SCOPE],
                by_system=False,
                target=_cloud_target(action, kind, identity),
                changes=(),
                cloud=True,
            )
        )
    return kinds


def _changes(type_name: str) -> Iterator[tuple[str, str]]:
    field, values = samples._CHANGES.get(type_name, ("", ()))
    for before, after in itertools.permutations(values, 2):
        said = f"Changed {field.replace('_', ' ')} from {before} to {after}"
        yield (
            _member("description", said),
            _member("after", {field: after}) + _member("before", {field: before}),
        )


def _target_of(type_name: str) -> _Targets | None:
    kind = next((k for start, k in samples._CONCERN if type_name.startswith(start)), None)
    match kind:
        case None:
            return None
        case "repo":
            return lambda part: part.drawn(part.world.repos)
        case "user":
            return lambda part: part.drawn(part.world.users)
        case kind if kind in _THINGS:
            return lambda part: part.drawn(part.world.things[kind])
        case _:
            # One of its own: a job, a token, an email.
            return lambda part: (
                f'{{"id":"{kind}_{_unique(part.index, _FOR_TARGETS)}","type":"{kind}"}}'
            )


def _cloud_target(action: str, kind: str, identity: str) -> _Targets:
    if kind == "instance":
        return lambda part: f'{{"id":"i-0{_unique(part.index, _FOR_TARGETS)}","type":"instance"}}'
    if action.endswith("Object"):
        return lambda part: (
            f'{{"id":"{identity}/shard-{int(1e5 * part.random()):05}","type":"object"}}'
        )
    text = _dumps({"id": identity, "type": kind})
    return lambda _part: text


# -- when ---------------------------------------------------------------------------------


@functools.cache
def _shares() -> list[float]:
    """Which share of all events occurred before each hour of the range, and at its end."""
    weights: list[float] = []
    for hour in range(DAYS * 24):
        day = (SINCE + hour * clock.HOUR) // clock.DAY
        weekend = (day + 3) % 7 >= 5  # 1970 began on a Thursday
        weights.append(_BY_DAY[hour % 24] * (_WEEKEND if weekend else 1))
    total = sum(weights)
    return [0.0, *(so_far / total for so_far in itertools.accumulate(weights[:-1])), 1.0]


def _indices_of_day(count: int, day: int) -> tuple[int, int]:
    """The events of which it is certain that they occur on that day."""
    shares = _shares()
    return int(shares[day * 24] * count) + 1, int(shares[(day + 1) * 24] * count) - 1


# -- needles ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plant:
    """What an event has in the place of what would have been drawn."""

    kind: str = ""
    doer: _Doer | None = None
    targets: str = ""
    ip: str = ""
    credential: str = ""
    description: str = ""


def _planted(count: int, seed: int) -> dict[int, _Plant]:
    rng = Random(f"{seed} needles")
    world = _world()
    rare = replace(
        world.people[77],
        actor=_member("actor", {"id": _RARE_ACTOR, "name": "Wilhelmina Ostrander"}),
    )
    target = _dumps({"id": _RARE_TARGET, "name": "archive/glacier-manifest", "type": "repo"})
    token = {"type": "access_token", "id": _RARE_CREDENTIAL, "name": "migration", "role": "write"}
    plants = {
        "actor": _Plant(doer=rare),
        "target": _Plant(kind="repo.update_settings", targets=f'"targets":[{target}],'),
        "ip": _Plant(ip=_member("ip", _RARE_BLOCK)),
        "credential": _Plant(credential=_member("credential", token)),
        "word": _Plant(description=_member("description", f"Paused the {_WORD} rollout")),
        "actor and type": _Plant(kind=COMMON_TYPE, doer=world.people[0]),
    }
    found: dict[int, _Plant] = {}
    for name, plant in plants.items():
        hits = NEEDLES[name].hits
        if name == "word":
            where = rng.sample(range(*_indices_of_day(count, _DAY_OF_WORD)), hits)
        elif name in {"actor", "target"}:
            where = [int((n + 0.2 + 0.6 * rng.random()) / hits * count) for n in range(hits)]
        else:
            where = rng.sample(range(count), hits)
        for index in where:
            found[next(i for i in itertools.count(index) if i not in found)] = plant
    return found


_NOTHING_PLANTED = _Plant()


# -- events -------------------------------------------------------------------------------


class _Part:
    """The events from `first` on that are drawn from one seed."""

    def __init__(self, count: int, seed: int, first: int, planted: Mapping[int, _Plant]) -> None:
        self.world = _world()
        self.index = first
        self._count = count
        self._last = min(first + _PART, count)
        self._planted = planted
        self._rng = Random(f"{seed} {first}")
        self.random = self._rng.random

    def entries(self) -> Iterator[Entry]:
        """All of them, in order; `index` is that of the one given last."""
        number = self._last - self.index
        kinds = self._rng.choices(self.world.kinds, cum_weights=self.world.kind_weights, k=number)
        for index, (kind, moment) in enumerate(
            zip(kinds, self._moments(), strict=True), self.index
        ):
            self.index = index
            yield self._entry(kind, moment)

    def drawn(self, things: list[Any]) -> Any:
        """One of them, the first ones far more often than the last."""
        return things[int(len(things) * self.random() ** _TARGETS_SKEW)]

    def _moments(self) -> Iterator[int]:
        shares, random, count = _shares(), self.random, self._count
        hour = bisect_right(shares, self.index / count) - 1
        for index in range(self.index, self._last):
            # Not up to the whole of its share, so that the next one is later.
            share = (index + 0.999 * random()) / count
            while shares[hour + 1] <= share:
                hour += 1
            within = (share - shares[hour]) / (shares[hour + 1] - shares[hour])
            yield SINCE + int((hour + within) * clock.HOUR)

    def _entry(self, kind: _Kind, moment: int) -> Entry:
        plant = self._planted.get(self.index, _NOTHING_PLANTED)
        if plant.kind:
            kind = self.world.kind_of[plant.kind]
        doer = plant.doer or self._doer(kind)
        description, metadata = self._said(kind)
        description = plant.description or description
        head = (
            f"{{{doer.actor}{plant.credential or self._credential(doer)}{description}"
            f'{plant.ip or self._ip(doer)}"key":"evt-{_unique(self.index, _FOR_KEYS)}",'
            f'{doer.location}{metadata}"occurred_at":"{clock.text(moment)}","org":"{ORG}",'
        )
        agent = doer.agents[int(len(doer.agents) * self.random())]
        targets = plant.targets or self._targets(kind)
        tail = f'{targets}"type":"{kind.name}",{agent}"v":1}}'
        return Entry(
            _record(head, tail, kind.name, moment, described=description != ""),
            moment + 40_000 + int(900_000 * self.random() ** 3),
        )

    def _doer(self, kind: _Kind) -> _Doer:
        world = self.world
        if kind.by_system:
            return world.system
        if self.random() < kind.machine_share:
            return world.machines[int(_MACHINES * self.random() ** _MACHINES_SKEW)]
        number = int(_PEOPLE * self.random() ** _PEOPLE_SKEW)
        if number == 0 and kind.name == COMMON_TYPE:
            # That is a needle, and others do it instead.
            number = 1 + int((_PEOPLE - 1) * self.random())
        return world.people[number]

    def _said(self, kind: _Kind) -> tuple[str, str]:
        """The description and the metadata."""
        if kind.changes:
            said, change = kind.changes[int(len(kind.changes) * self.random())]
            return said, f'"metadata":{{{change}{self._request()}}},'
        said = self.world.phrases[int(_PHRASES * self.random())]
        return said if self.random() < _DESCRIBED else "", self._metadata(kind)

    def _metadata(self, kind: _Kind) -> str:
        drawn = self.random()
        if drawn >= _WITH_REQUEST and not kind.cloud:
            return ""
        details = '"aws_region":"eu-west-1",' if kind.cloud else ""
        if drawn < _WITH_DETAILS:
            details += self.world.details[int(_DETAILS * self.random())]
        trace = ""
        if drawn < _WITH_TRACE:
            one, other = (_unique(self.index, factor) for factor in _FOR_TRACES)
            trace = f',"trace_id":"{one}{other}"'
        return f'"metadata":{{{details}{self._request()}{trace}}},'

    def _request(self) -> str:
        return f'"request_id":"req-{_unique(self.index, _FOR_REQUESTS)}"'

    def _credential(self, doer: _Doer) -> str:
        if not doer.credentials or self.random() >= _WITH_CREDENTIAL:
            return ""
        return doer.credentials[int(len(doer.credentials) * self.random())]

    def _ip(self, doer: _Doer) -> str:
        drawn = self.random()
        if drawn >= _WITH_ADDRESS:
            return ""
        if drawn < _AT_OFFICE:
            return doer.office
        return doer.home if drawn < _AT_HOME else self.drawn(self.world.blocks)

    def _targets(self, kind: _Kind) -> str:
        if kind.target is None:
            return ""
        if self.random() >= _WITH_MORE_TARGETS:
            return f'"targets":[{kind.target(self)}],'
        more = ",".join([self.drawn(self.world.repos) for _ in range(1 + int(3 * self.random()))])
        return f'"targets":[{kind.target(self)},{more}],'


def _record(head: str, tail: str, name: str, moment: int, *, described: bool) -> Record:
    """As `event.build` does, from text that is canonical already; the salt goes between."""
    salt = hmac.digest(SECRET, f"{head}{tail}".encode(), "sha256")[:16]
    text = base64.urlsafe_b64encode(salt).decode().rstrip("=")
    data = f'{head}"salt":"{text}",{tail}'.encode()
    return Record(
        id=event_id(moment, hashlib.sha256(data).digest()),
        type=name,
        occurred_at=moment,
        described=described,
        data=data,
    )


# -- loading ------------------------------------------------------------------------------

_BATCH = 25
_THREADS = 4
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
    "X-Amz-Date": "20260601T000000Z",
    # It has to be there, and in form; nobody looks whether it is right.
    "Authorization": (
        "AWS4-HMAC-SHA256 Credential=test/20260601/us-east-1/dynamodb/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-target, Signature=0"
    ),
}


def load(
    client: Any,
    table: str,
    partition_of: Callable[[str], str],
    entries: Iterable[Entry],
    *,
    expires_at: Callable[[Record], int | None] = lambda _: None,
) -> int:
    """Puts entries into a table as `EventStore` would have, where `partition_of` an id says.

    How many. As `send` does.
    """
    return send(
        client,
        table,
        entries,
        lambda each: _put(each, partition_of(each.record.id), expires_at(each.record)),
    )


def send(client: Any, table: str, entries: Iterable[Entry], put: Callable[[Entry], str]) -> int:
    """Puts entries into a table, each as `put` has it in JSON, an element of a batch; how many.

    By `BatchWriteItem`, and by HTTP itself: an event takes 9 µs of a processor so, and 50
    through botocore, which is half of what the engine needs for it, and there are two
    processors. So it is for an engine on loopback that does not look at signatures;
    anything else raises `ValueError`.
    """
    address = urlsplit(client.meta.endpoint_url)
    if address.scheme != "http" or address.hostname not in {"127.0.0.1", "localhost"}:
        raise ValueError("this loads into an engine on this machine alone")
    left, lock = iter(entries), threading.Lock()

    def work(_number: int) -> int:
        loaded = 0
        connection = http.client.HTTPConnection(address.netloc)
        try:
            while True:
                with lock:
                    batch = list(itertools.islice(left, _BATCH))
                if not batch:
                    return loaded
                puts = ",".join(map(put, batch))
                _post(connection, f'{{"RequestItems":{{"{table}":[{puts}]}}}}')
                loaded += len(batch)
        finally:
            connection.close()

    with ThreadPoolExecutor(_THREADS) as threads:
        return sum(threads.map(work, range(_THREADS)))


def _put(entry: Entry, partition: str, expires_at: int | None) -> str:
    """`item`, as JSON. No partition, id or type has a character that needs escaping."""
    record = entry.record
    packed = base64.b64encode(canonical.pack(record.data)).decode()
    said = "" if record.described else ',"s":{"BOOL":true}'
    ttl = "" if expires_at is None else f',"ttl":{{"N":"{expires_at}"}}'
    return (
        f'{{"PutRequest":{{"Item":{{"pk":{{"S":"{partition}"}},"sk":{{"S":"{record.id}"}},'
        f'"r":{{"B":"{packed}"}},"t":{{"S":"{record.type}"}},'
        f'"at":{{"N":"{entry.recorded_at}"}}{said}{ttl}}}}}}}'
    )


def _post(connection: http.client.HTTPConnection, body: str) -> None:
    connection.request("POST", "/", body.encode(), _HEADERS)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != http.HTTPStatus.OK or json.loads(text)["UnprocessedItems"]:
        raise RuntimeError(f"the engine answered {answer.status}: {text.decode()}")
