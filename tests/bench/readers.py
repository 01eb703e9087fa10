"""How other people's programs read an exported file: each gives the ids in it, in its order.

None of them is told anything of ours but the kind of the file.
"""

import gzip
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import duckdb
import ijson
import jq
import pandas as pd

Ids = Iterator[str]
_AT_ONCE = 100_000


def gunzip(path: Path) -> Ids:
    """Of a packed array: the first text of each line, once `gunzip` has tested all of it."""
    with _lines('gunzip --test "$1" && gunzip --stdout "$1"', path) as lines:
        for line in lines:
            yield line.split('"', 4)[3]


def streaming_parser(path: Path) -> Ids:
    """Of a packed array: `ijson`, which knows nothing of lines."""
    with gzip.open(path) as file:
        for event in ijson.items(file, "item"):
            yield event["id"]


def jq_of_lines(path: Path) -> Ids:
    """Of lines: the `jq` of this machine, or the package of that name."""
    if shutil.which("jq"):
        with _lines('jq --raw-output .id "$1"', path) as lines:
            yield from map(str.rstrip, lines)
        return
    of = jq.compile(".id")
    with path.open() as lines:
        for line in lines:
            yield of.input_text(line).first()


def jq_of_array(path: Path) -> Ids:
    """Of a packed array: the same, in its streaming form, which never has all of it."""
    if shutil.which("jq"):
        with _lines(f"gunzip --stdout \"$1\" | jq --raw-output --stream '{_ID}'", path) as lines:
            yield from map(str.rstrip, lines)
        return
    with gzip.open(path, "rt") as file:
        yield from jq.compile(".[].id").input_text(file.read())


_ID = 'select(length == 2 and .[0][1] == "id" and (.[0] | length) == 2) | .[1]'


def duckdb_json(path: Path) -> Ids:
    """Of an array, packed or not."""
    return _duckdb(f"read_json('{path}')")


def duckdb_lines(path: Path) -> Ids:
    """Of lines."""
    return _duckdb(f"read_ndjson('{path}')")


def duckdb_csv(path: Path) -> Ids:
    """Of CSV."""
    return _duckdb(f"read_csv('{path}')")


def pandas_lines(path: Path) -> Ids:
    """Of lines, some at a time."""
    with pd.read_json(path, lines=True, chunksize=_AT_ONCE) as frames:
        for frame in frames:
            yield from frame["id"]


def pandas_csv(path: Path) -> Ids:
    """Of CSV, some at a time."""
    with pd.read_csv(path, chunksize=_AT_ONCE, low_memory=False) as frames:
        for frame in frames:
            yield from frame["id"]


#: By the format of a file, whatever reads it.
READERS: Mapping[str, Mapping[str, Callable[[Path], Ids]]] = {
    "json": {
        "gunzip": gunzip,
        "ijson, streaming": streaming_parser,
        "jq --stream": jq_of_array,
        "DuckDB read_json": duckdb_json,
    },
    "ndjson": {
        "jq": jq_of_lines,
        "DuckDB read_ndjson": duckdb_lines,
        "pandas read_json": pandas_lines,
    },
    "csv": {"DuckDB read_csv": duckdb_csv, "pandas read_csv": pandas_csv},
}


def _duckdb(source: str) -> Ids:
    found = duckdb.connect().execute(f"SELECT id FROM {source}")  # noqa: S608 -- ours
    while rows := found.fetchmany(_AT_ONCE):
        for (event_id,) in rows:
            yield event_id


@contextmanager
def _lines(command: str, path: Path) -> Generator[IO[str]]:
    """What a command of the shell prints, with a path as its argument."""
    line = ["bash", "-c", f"set -o pipefail; {command}", "bash", str(path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, encoding="utf-8") as running:
        assert running.stdout is not None
        yield running.stdout
    assert running.returncode == 0, command
