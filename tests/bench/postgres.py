"""PostgreSQL 15 of Debian, started for a while: the same events in a table, as one would have them.

It refuses to run as root, so then it runs as its own user; its data and its socket are in
a folder that goes with it, and it listens nowhere else.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from auditlog import clock
from infra.leash import Leash
from tests.bench import large
from tests.bench.large import Entry
from tests.bench.measure import Spent, of_programs

VERSION = 15
_PACKAGE = f"postgresql-{VERSION}"
_PROGRAMS = Path(f"/usr/lib/postgresql/{VERSION}/bin")
_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 30

_TABLE = """
CREATE TABLE events (
    org text NOT NULL,
    id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    type text NOT NULL,
    record jsonb NOT NULL,
    PRIMARY KEY (org, id)
)
"""
_EVERYTHING = f"COPY (SELECT * FROM events WHERE org = '{large.ORG}' ORDER BY id) TO STDOUT"  # noqa: S608 -- ours


class MissingError(Exception):
    """There is no PostgreSQL 15 here, and it cannot be installed."""


class Postgres:
    """A running one, with an empty table."""

    def __init__(self, home: Path, user: str) -> None:
        self._home, self._user = home, user

    def load(self, entries: Iterable[Entry]) -> None:
        """Loads events by COPY, and lets it settle."""
        load = ("COPY events FROM STDIN", "VACUUM ANALYZE events", "CHECKPOINT")
        with subprocess.Popen(self._psql(*load), stdin=subprocess.PIPE, text=True) as client:
            assert client.stdin is not None
            client.stdin.writelines(map(_line, entries))
            client.stdin.close()
        assert client.returncode == 0, "psql has failed"

    def copied(self) -> Spent:
        """`COPY ... TO STDOUT | gzip`: the server, all that it starts, psql and gzip."""
        psql, server = self._psql(_EVERYTHING), self._cpu()
        line = 'set -o pipefail; "$@" | gzip > /dev/null'
        clients = of_programs(
            lambda: subprocess.run(["bash", "-c", line, "bash", *psql], check=True)
        )
        return Spent(clients.wall, clients.cpu + self._cpu() - server)

    def count(self) -> int:
        """How many events there are."""
        return int(self._asked("SELECT count(*) FROM events"))

    def packed(self) -> int:
        """Bytes that `copied` packs them to."""
        line = 'set -o pipefail; "$@" | gzip | wc -c'
        command = ["bash", "-c", line, "bash", *self._psql(_EVERYTHING)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def _asked(self, statement: str) -> str:
        command = self._psql(statement)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _psql(self, *statements: str) -> list[str]:
        where = ["--host", str(self._home), "--username", self._user, "--dbname", "postgres"]
        settings = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
        commands = [part for each in statements for part in ("--command", each)]
        return [str(_PROGRAMS / "psql"), *where, *settings, "--set", "ON_ERROR_STOP=1", *commands]

    def _cpu(self) -> float:
        """Seconds that the server and its processes have taken, those that have ended too."""
        server = int((self._home / "data" / "postmaster.pid").read_text().split()[0])
        time.sleep(0.2)  # until those that have ended are counted
        ticks = sum(_times(server))
        for place in Path("/proc").glob("[0-9]*/stat"):
            try:
                if _parent(place) == server:
                    ticks += sum(_times(int(place.parent.name))[:2])
            except FileNotFoundError:
                continue
        return ticks / _TICKS


@contextmanager
def postgres() -> Generator[Postgres]:
    """Runs one. Raises `MissingError` with what to do where there is none."""
    _installed()
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    # Not among the test's own folders, which are root's alone.
    home = Path(tempfile.mkdtemp(prefix="auditlog-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(home, user, user)
        data = str(home / "data")
        made = ["--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(
            _as(user, "initdb", "--pgdata", data, *made), check=True, capture_output=True, cwd=home
        )
        settings = ["listen_addresses=", f"unix_socket_directories={home}", "autovacuum=off"]
        flags = [part for each in settings for part in ("-c", each)]
        with (home / "log").open("wb") as log:
            command = _as(user, "postgres", "-D", data, *flags)
            leash = Leash(command, environment={"PATH": os.defpath}, cwd=home, log=log)
            try:
                running = Postgres(home, user)
                _await(leash, running, home)
                yield running
            finally:
                leash.close()
    finally:
        shutil.rmtree(home)


def _await(leash: Leash, running: Postgres, home: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and not leash.ended:
        made = subprocess.run(running._psql(_TABLE), capture_output=True, check=False)
        if made.returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not come up:\n{(home / 'log').read_text()}")


def _as(user: str, program: str, *arguments: str) -> list[str]:
    command = [str(_PROGRAMS / program), *arguments]
    if os.geteuid() != 0:
        return command
    account = pwd.getpwnam(user)
    identity = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return ["setpriv", *identity, *command]


def _installed() -> None:
    if (_PROGRAMS / "postgres").exists():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise MissingError(f"install Debian's {_PACKAGE} to have it measured")
    print(f"\ninstalling Debian's {_PACKAGE}, to measure it")
    # Without a server of its own that would run from then on.
    settings = Path("/etc/postgresql-common/createcluster.conf")
    if not settings.exists():
        settings.parent.mkdir(exist_ok=True)
        settings.write_text("create_main_cluster = false\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    keep = ["-o", "Dpkg::Options::=--force-confold", "--no-install-recommends"]
    for command in (["update"], ["install", "--yes", *keep, _PACKAGE]):
        done = subprocess.run(["apt-get", "--quiet", *command], check=False, env=environment)
        if done.returncode != 0:
            raise MissingError(f"apt-get could not install {_PACKAGE}")


def _line(entry: Entry) -> str:
    """A row in the form in which COPY takes it."""
    record = entry.record
    text = record.data.decode().replace("\\", "\\\\")
    moment = clock.text(record.occurred_at)
    return f"{large.ORG}\t{record.id}\t{moment}\t{record.type}\t{text}\n"


def _stat(process: int) -> list[str]:
    """What /proc says of a process, from its state on: its name may have any character."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _times(process: int) -> list[int]:
    """Its ticks: user and system, its own and those of children that have ended."""
    return [int(field) for field in _stat(process)[11:15]]


def _parent(place: Path) -> int:
    return int(place.read_text().rpartition(")")[2].split()[1])
