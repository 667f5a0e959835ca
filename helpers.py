"""Everything that the notebook calls and that a worker process must be able to import.

In the order in which the notebook needs it:

    Settings      load_settings() reads config.ini; environment() says on what machine this runs
    Source        connect() opens the practice server or Unsplash; collect_photos() fetches the metadata
    One item      download_photo() and make_thumbnail(): one photo each, the same for every kind of executor
    Many items    as_done() sends them to an executor; cluster() is one of several machines; pipeline() does both stages
    Timed runs    timed_run() measures a whole stage; compare() proves that two runs did equal work
    Display       progress() draws one line that is also readable in the saved notebook; show() a chart with a text

A worker process that starts by `spawn` imports this file, so nothing heavy (pandas, matplotlib, IPython) is imported
here, and requests only where something is downloaded: a worker that resizes does without.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import copy
import errno
import functools
import hashlib
import html
import io
import itertools
import json
import logging
import multiprocessing
import os
import platform
import queue
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode, urlsplit, urlunsplit

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

# A spawned worker looks for this file along the notebook's sys.path, where "" means the folder in which the kernel was
# started. That is another folder than this one after a %cd, which Colab needs.
if (_here := os.path.dirname(os.path.abspath(__file__))) not in sys.path:
    sys.path.append(_here)

CACHE = Path("cache")  # metadata, practice photographs, files of timed runs; may be deleted at any time


class AssignmentError(Exception):
    """Something that you can mend yourself: the text says how. A notebook shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython calls this in place of its own traceback
        return [f"{type(self).__name__}: {self}"]


# --- Settings -------------------------------------------------------------------------------------------------

QUALITIES = ("regular", "full", "raw")  # of the sizes in a record's `urls`, those that the assignment accepts


class Interrupted(KeyboardInterrupt):
    """A timed run was interrupted; the text says how far it came. A notebook shows it without a traceback."""

    _render_traceback_ = AssignmentError._render_traceback_


class SettingsError(AssignmentError):
    """config.ini holds something that can't be used."""


class KeyRejected(AssignmentError):
    """The API refused the access key."""


class FileProblem(AssignmentError):
    """Files can't be read or written as a step needs it; the text says why and what to do."""


@contextlib.contextmanager
def _on_disk(step: str) -> Iterator[None]:
    """Turn a problem with files inside into one sentence."""
    try:
        yield
    except OSError as problem:
        where = f" at {Path(os.fsdecode(problem.filename)).name}" if problem.filename else ""
        raise FileProblem(
            f"{step} stopped{where}: {problem.strerror or problem}. What was complete is kept. Make room, or "
            "choose a folder that you may write into, and run this cell again."
        ) from None


class Secret:
    """A text that never shows itself: not in a repr, a print-out, an f-string or a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str = ""):
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        if not self._text:
            return "(none)"
        return "*" * 8 + (self._text[-4:] if len(self._text) >= 20 else "")

    __str__ = __repr__

    def __reduce__(self):
        raise TypeError("The access key is not pickled: workers don't need it.")


@dataclass(frozen=True)
class Settings:
    """What config.ini says; `config.ini.example` explains every entry."""

    access_key: Secret = field(default_factory=Secret)
    photos: int = 1500
    quality: str = "regular"
    threads: int = 32
    processes: int = 2
    thumbnail_size: int = 200  # pixels, longer side
    latency_ms: int = 60  # practice server: median wait before an answer
    bandwidth_mbit: int = 64  # practice server: per connection; 0 for no limit
    quota: int = 50  # practice server: API requests per hour
    scheduler: str = ""  # address of a Dask scheduler; empty: a cluster of processes on this machine
    going_further: bool = True  # run the optional last part of the notebook


# section, option -> field of Settings, smallest and largest number
_OPTIONS: dict[tuple[str, str], tuple] = {
    ("unsplash", "access_key"): ("access_key",),
    ("unsplash", "photos"): ("photos", 1, 25_000),
    ("unsplash", "quality"): ("quality",),
    ("parallel", "threads"): ("threads", 1, 256),
    ("parallel", "processes"): ("processes", 1, 61),  # 61: what Windows can wait for at once
    ("thumbnails", "size"): ("thumbnail_size", 16, 1080),
    ("practice", "latency_ms"): ("latency_ms", 0, 10_000),
    ("practice", "bandwidth_mbit"): ("bandwidth_mbit", 0, 10_000),
    ("practice", "quota"): ("quota", 1, 5_000),
    ("cluster", "scheduler"): ("scheduler",),
    ("notebook", "going_further"): ("going_further",),
}


def usable_cpus() -> int:
    """CPUs that this process may use: fewer than the machine has inside containers or with an affinity mask."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13 and newer
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_settings(path: Path | str = "config.ini") -> Settings:
    """Read the settings; a missing file is made from `config.ini.example` first.

    The environment variable UNSPLASH_ACCESS_KEY takes precedence over the file's `access_key`.

    Raises:
        SettingsError: the file can't be read or holds an impossible value; the text names it.
    """
    path = Path(path)
    if not path.exists():
        example = path.with_name("config.ini.example")
        if not example.exists():
            raise SettingsError(f"{example.name} is missing beside the notebook: copy it from the assignment.")
        try:
            _write(path, example.read_bytes())
        except OSError as problem:
            raise SettingsError(f"{path.name} can't be made from {example.name}: {problem.strerror}.") from None
    # A % in a key is just a %; [DEFAULT] is a section like any other.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except configparser.DuplicateOptionError as problem:
        where = f"{path.name}: [{_shown(problem.section)}]"
        raise SettingsError(f"{where} has {_shown(problem.option)} twice: delete one.") from None
    except configparser.DuplicateSectionError as problem:
        raise SettingsError(f"{path.name}: the section [{_shown(problem.section)}] stands there twice.") from None
    except configparser.MissingSectionHeaderError as problem:
        raise SettingsError(f"{path.name}, line {problem.lineno}, stands before the first [section].") from None
    except configparser.Error as problem:  # its text could quote the line with the key
        line = getattr(problem, "lineno", None) or problem.errors[0][0]
        raise SettingsError(f"{path.name}, line {line}, is neither a [section] nor `name = value`.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path.name} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as problem:
        raise SettingsError(f"{path.name} can't be read: {problem.strerror}.") from None

    values: dict[str, object] = {"processes": min(usable_cpus(), _OPTIONS["parallel", "processes"][2])}
    for section in parser.sections():
        for option, text in parser.items(section):
            if (section, option) not in _OPTIONS:
                known = ", ".join(name for part, name in _OPTIONS if part == section)
                hint = f"known there: {known}" if known else "see config.ini.example"
                where = f"{path.name}: [{_shown(section)}] {_shown(option)}"
                raise SettingsError(f"{where} is no setting of this project ({hint}).")
            name, *limits = _OPTIONS[section, option]
            if text.strip() and not (name == "processes" and text.strip() == "auto"):
                where = f"{path.name}: [{section}] {option}"
                values[name] = _whole_number(where, text, *limits) if limits else text.strip()
    key = os.environ.get("UNSPLASH_ACCESS_KEY", "").strip() or str(values.get("access_key", ""))
    if not re.fullmatch(r"[!-~]*", key):
        raise SettingsError("The access key holds a space or a character that no key has: copy it again.")
    values["access_key"] = Secret(key)
    if (answer := str(values.get("going_further", "yes")).lower()) not in parser.BOOLEAN_STATES:
        raise SettingsError(f"{path.name}: going_further = {_shown(answer)} must be yes or no.")
    values["going_further"] = parser.BOOLEAN_STATES[answer]
    quality = str(values.get("quality", "regular"))
    if quality not in QUALITIES:
        raise SettingsError(
            f"{path.name}: quality = {_shown(quality)} is not one of {', '.join(QUALITIES)}: "
            "the assignment asks for `regular` or better."
        )
    if not re.fullmatch(r"((tcp|tls)://)?[\w.-]+:\d{1,5}|", str(values.get("scheduler", ""))):
        where = f"{path.name}: [cluster] scheduler = {_shown(str(values['scheduler']))}"
        raise SettingsError(f"{where} must be an address like tcp://10.0.0.1:8786, or empty.")
    return Settings(**values)


def _shown(text: str) -> str:
    """A piece of config.ini for a message; what is long or has several lines could hold the key: not quoted."""
    return text if len(text) <= 20 and text.isprintable() else "(a long text)"


def _whole_number(where: str, text: str, low: int, high: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise SettingsError(f"{where} = {_shown(text)} is not a whole number.") from None
    if not low <= number <= high:
        raise SettingsError(f"{where} = {_shown(text)} must be from {low} to {high}.")
    return number


def environment() -> dict[str, str]:
    """What a reader of a timing needs to know of the machine, by name.

    A package whose version is not among those of requirements.txt is marked: it may work, but nobody has tried it.
    """
    from importlib.metadata import version

    from packaging.requirements import Requirement  # comes with Jupyter and matplotlib

    wanted = {}
    with contextlib.suppress(OSError, ValueError):
        lines = Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8").splitlines()
        needed = [Requirement(line) for line in lines if line[:1].isalpha()]
        wanted = {one.name: one.specifier for one in needed}

    def named(package: str) -> str:
        here, asked = version(package), wanted.get(package, "")
        return f"{package} {here}" + ("" if not asked or here in asked else f" (requirements.txt asks for {asked})")

    # allow_none: asking for the default start method must not fix it.
    method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    packages = ("requests", "Pillow", "pandas", "matplotlib", "tqdm", "tornado")
    return {
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "Operating system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "CPUs": f"{usable_cpus()} usable by this process, {os.cpu_count()} logical CPUs in the machine",
        "Start method": f"spawn, named by this notebook (this system's default: {method})",
        "Modules": f"version {fingerprint()} of helpers.py, checks and practice",
        "Packages": ", ".join(map(named, packages)),
    }


def fingerprint() -> str:
    """Eight hexadecimal digits of the project's modules: a saved notebook shows which version it ran with."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([Path(__file__), *root.glob("checks/*.py"), *root.glob("practice/*.py")]):
        digest.update(path.read_bytes().replace(b"\r", b""))
    return digest.hexdigest()[:8]


# --- Source: the practice server or Unsplash ------------------------------------------------------------------

UNSPLASH = "https://api.unsplash.com"
UNSPLASH_IMAGES = ("https://images.unsplash.com", "https://plus.unsplash.com")  # plus: premium photos
PER_PAGE = 30  # the most that one request returns (Unsplash API documentation, "Get a random photo")
TRIES = 4  # how often a request is sent before it counts as failed
BAD_BODY_TRIES = 2  # how often an answer that is not what was asked for may come
TIMEOUT = (5, 20)  # seconds to connect, and between two pieces of an answer
DEADLINE = 60  # seconds for one whole answer, however slowly it drips
LARGEST = 200_000_000  # bytes of one answer; no photo is as large
RETRIED = (429, 500, 502, 503, 504)  # statuses that may go away by themselves


class SourceError(AssignmentError):
    """The API could not be reached or gave an answer that makes no sense."""


class QuotaReached(AssignmentError):
    """The requests of this hour are used up; what was collected is kept."""


@dataclass(frozen=True)
class Photo:
    """One photo to download: its id and the address of its image file."""

    id: str
    url: str


class Source:
    """Where photos come from: Unsplash, or a practice server that speaks the same language.

    Args:
        name: in words, for messages.
        slug: for the name of the metadata cache.
        api: address of the API, without a slash at the end.
        image_hosts: scheme and host of image addresses; a photo from elsewhere is refused.
        key: the access key; it is sent to `api` alone.
    """

    def __init__(self, name: str, slug: str, api: str, image_hosts: Sequence[str], key: Secret, server=None):
        self.name, self.slug, self.api, self.image_hosts = name, slug, api, tuple(image_hosts)
        self.key, self.server = key, server
        self.remaining: int | None = None  # requests left in this hour, as the last answer said

    def __repr__(self) -> str:
        return f"<Source: {self.name}>"

    def describe(self) -> str:
        """One sentence for the reader of a timing."""
        if self.server is None:
            return f"Photos come from Unsplash with your access key {self.key}."
        return (
            f"Photos come from the practice server on this machine, without a key: median latency "
            f"{self.server.latency * 1000:.0f} ms, "
            + (f"{self.server.bandwidth * 8 / 1e6:.0f} Mbit/s" if self.server.bandwidth else "no limit of bandwidth")
            + " per connection."
        )

    def server_cpu(self) -> float:
        """CPU seconds that the practice server has used so far; 0 for Unsplash."""
        import psutil  # comes with Jupyter

        return sum(psutil.Process(self.server.process.pid).cpu_times()[:2]) if self.server else 0.0

    def close(self) -> None:
        """Stop the practice server, if this is one."""
        if self.server:
            self.server.close()

    def get(self, path: str, **parameters: object) -> object:
        """One API request; returns the decoded JSON.

        Raises:
            KeyRejected, QuotaReached, SourceError: the text says what to do.
        """
        trouble, bad = "", 0
        if parameters:
            path += f"?{urlencode(parameters)}"
        for attempt in range(TRIES):
            retry_after = None
            try:
                status, headers, body, _ = _fetch(self.api + path, self.key)
            except NoAnswer as problem:
                trouble, bad = str(problem), bad + isinstance(problem, CutOff)
            else:
                self.remaining = _to_int(headers.get("X-Ratelimit-Remaining"), self.remaining)
                if status == 200:
                    try:
                        return json.loads(body)
                    except (ValueError, RecursionError):
                        trouble, bad = "the answer is not JSON (a log-in page of the Wi-Fi?)", bad + 1
                elif status == 401:
                    raise KeyRejected(
                        f"{self.name} refused the access key {self.key}. Copy the Access Key (not the Secret key) "
                        "of your application into config.ini, or leave it empty to use the practice server."
                    )
                elif status == 429 or (status == 403 and b"rate limit" in body.lower()):
                    raise QuotaReached(f"The hourly quota of {self.name} is used up.")
                elif status in RETRIED:
                    trouble, retry_after = f"it answered with status {status}", headers.get("Retry-After")
                else:
                    raise SourceError(f"{self.name} answered {path.split('?')[0]} with status {status}.")
            if bad == BAD_BODY_TRIES or attempt + 1 == TRIES:
                break
            _back_off(attempt, retry_after)
        raise SourceError(f"{self.name} can't be used now: {trouble}. Check the network and run this cell again.")

    def photos(self, records: Sequence[dict], quality: str = "regular") -> list[Photo]:
        """What to download: id and image address of each record, checked.

        A record without a proper id, or with an image on a host that the source does not own, is left out and
        named in one printed line.
        """
        photos, refused = [], []
        for record in records:
            urls = record.get("urls")
            url = urls.get(quality) if isinstance(urls, dict) else None
            try:
                parts = urlsplit(url if isinstance(url, str) else "")
            except ValueError:  # such as "https://["
                parts = urlsplit("")
            if self.server and parts.netloc:  # cached addresses name the port of an earlier practice server
                parts = urlsplit(self.image_hosts[0])._replace(path=parts.path, query=parts.query)
                url = urlunsplit(parts)
            if _is_id(record.get("id")) and f"{parts.scheme}://{parts.netloc}" in self.image_hosts:
                photos.append(Photo(record["id"], url))
            else:
                name = str(record.get("id"))[:20]
                refused.append("".join(letter if letter.isprintable() else "?" for letter in name))
        if refused:
            print(f"Records without a usable id or image address, left out: {len(refused)} ({', '.join(refused[:5])}).")
        return photos


def connect(settings: Settings) -> Source:
    """Open the source that the settings ask for: Unsplash with an access key, else the practice server.

    The practice server's photographs are drawn first if they are not on disk yet. What an earlier run left behind when
    it was killed is deleted.
    """
    _delete_leftovers()
    if settings.access_key:
        return Source("Unsplash", "unsplash", UNSPLASH, UNSPLASH_IMAGES, settings.access_key)
    import practice

    with contextlib.ExitStack() as stack:
        bar = None

        def report(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                bar = stack.enter_context(_bar(total, "Drawing practice photos, once"))
            bar.update(done - bar.n)

        try:
            server = practice.start(
                CACHE / "practice",
                photos=settings.photos,
                latency=settings.latency_ms / 1000,
                bandwidth=settings.bandwidth_mbit * 1e6 / 8,
                quota=settings.quota,
                workers=min(usable_cpus(), 61),
                report=report,
            )
        except practice.PracticeError as problem:
            raise SourceError(str(problem)) from None
    slug = f"practice-{settings.photos}-{server.version}"
    return Source("the practice server", slug, server.api, [server.images], Secret(server.key), server)


def _delete_leftovers() -> None:
    """Delete temporary files and folders of timed runs whose process is gone."""
    import psutil  # comes with Jupyter

    runs = CACHE / "runs"  # a pool that is terminated kills its workers while the notebook lives on
    folders = (Path(), Path("images"), Path("thumbnails"), CACHE / "metadata", runs, *runs.glob("*/*"))
    for path in itertools.chain.from_iterable(folder.glob("*") for folder in folders):
        owner = re.search(r"\.(\d+)-\d+\.part$", path.name) or re.fullmatch(r"runs/(\d+)", "/".join(path.parts[-2:]))
        if owner and not psutil.pid_exists(int(owner[1])):
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def collect_photos(
    source: Source, count: int, wait: bool = False, cache: Path | None = None, hour: float = 3600
) -> list[dict]:
    """Metadata of `count` different photos, 30 per request.

    Every page is on disk before the next is asked for, so running this again asks only for what is missing.

    Args:
        wait: when the quota ends, wait for the next hour with a progress line, instead of stopping.
        cache: folder of the metadata; default `cache/metadata`.
        hour: seconds after which the quota is renewed (a practice server may have a shorter hour).

    Returns:
        The records as the API sent them (https://unsplash.com/documentation#get-a-random-photo).

    Raises:
        QuotaReached: the text says how many records are there and when to go on.
        KeyRejected, SourceError: as in Source.get.
        FileProblem: the records can't be kept. What was collected is kept in any case.
    """
    path = (cache or CACHE / "metadata") / f"{source.slug}.jsonl"
    with _on_disk("Collecting metadata"):
        path.parent.mkdir(parents=True, exist_ok=True)
        records = _read_pages(path, source.slug)
    if len(records) >= count:
        print(f"The metadata of {count:,} photos are on disk already: no request was needed.")
        return list(records.values())[:count]
    fruitless = 0
    with _bar(count, "Collecting metadata", initial=len(records)) as bar:
        while len(records) < count:
            try:
                page = source.get("/photos/random", count=PER_PAGE)
            except QuotaReached as problem:
                if not wait:
                    again = (datetime.now() + timedelta(hours=1)).replace(minute=0)
                    raise QuotaReached(
                        f"{problem} {len(records):,} of {count:,} records are on disk. Run this cell again after "
                        f"{again:%H:%M}, or call collect_photos with wait=True: only the rest will be asked for."
                    ) from None
                _wait_for_quota(hour)
                continue
            if not isinstance(page, list) or not all(isinstance(record, dict) for record in page):
                raise SourceError(f"{source.name} sent something else than a list of photos. Run this cell again.")
            with _on_disk("Collecting metadata"), open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"source": source.slug, "photos": page}) + "\n")
                file.flush()
                os.fsync(file.fileno())
            before = len(records)
            for record in page:
                if _is_id(record.get("id")):
                    records.setdefault(record["id"].lower(), record)
            bar.update(min(len(records), count) - bar.n)
            fruitless = 0 if len(records) > before else fruitless + 1
            if fruitless == 5:  # don't burn the quota on a source that has no more photos
                raise SourceError(f"{source.name} has no more than {len(records):,} different photos to offer.")
    return list(records.values())[:count]


def tidy(records: Sequence[dict]) -> list[dict]:
    """Copies of the records in which each field that the notebook reads is of the right type, or None.

    Whole numbers may have come as text; dates become UTC, colours small letters. What can't be read counts as missing
    and is told in one printed line. All other fields stay as they came.
    """
    unread: Counter[str] = Counter()
    copies = [_read_fields(record, _FIELDS, unread) for record in records]
    if unread:
        told = ", ".join(f"{name} ({n:,})" for name, n in unread.items())
        print(f"Values that make no sense and count as missing: {told}.")
    return copies


def _read_fields(record: dict, fields: dict, unread: Counter[str]) -> dict:
    copy = dict(record)
    for name, read in fields.items():
        value = copy.setdefault(name, None)
        try:
            if value is not None:
                copy[name] = _read_fields(value, read, unread) if isinstance(read, dict) else read(value)
        except (TypeError, ValueError, OverflowError):
            copy[name] = None
            unread[name] += 1
    return copy


def _read_text(value: str) -> str:
    return str.encode(value, "utf-8", "replace").decode()  # half a surrogate pair can't be printed


def _read_number(value: float | str, least: int = 0) -> int:
    number = int(float(value))
    if isinstance(value, bool) or number != float(value) or not least <= number < 2**53:
        raise ValueError(value)
    return number


def _read_date(value: str) -> datetime:
    date = datetime.fromisoformat(value)
    if not 1970 < date.year < 2200:
        raise ValueError(value)
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def _read_colour(value: str) -> str:
    if not re.fullmatch("#[0-9a-fA-F]{6}", value):
        raise ValueError(value)
    return value.lower()


_FIELDS: dict[str, Callable | dict] = {
    "id": _read_text,
    "created_at": _read_date,
    "width": functools.partial(_read_number, least=1),  # pixels
    "height": functools.partial(_read_number, least=1),
    "color": _read_colour,
    "likes": _read_number,
    "views": _read_number,
    "downloads": _read_number,
    "description": _read_text,
    "alt_description": _read_text,
    "urls": dict.fromkeys(("raw", "full", "regular", "small", "thumb"), _read_text),
    "exif": {"make": _read_text},
    "user": {"name": _read_text},
}


def _read_pages(path: Path, slug: str) -> dict[str, dict]:
    """Records by id in small letters from the metadata cache; a broken or foreign line is told and left out.

    Of two ids that differ only in capitals, one counts: on Windows and macOS their files would be the same one.
    """
    records: dict[str, dict] = {}
    if not path.exists():
        return records
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    whole = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            page = json.loads(line)
            found = {record["id"]: record for record in page["photos"] if _is_id(record.get("id"))}
            if page["source"] == slug and line.endswith("\n"):
                whole.append(line)
                for photo_id, record in found.items():
                    records.setdefault(photo_id.lower(), record)
    if len(whole) < len(lines):
        print(f"Lines of {path.name} that were cut off or of another source, left out: {len(lines) - len(whole)}.")
        _write(path, "".join(whole).encode())
    return records


def _wait_for_quota(hour: float) -> None:
    """Sleep until the quota's next hour begins: people report the reset at the top of the hour."""
    seconds = hour - time.time() % hour + min(5, hour / 10)
    with _bar(round(seconds), "Waiting for the next hour's quota", unit="s") as bar:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(1, left))
            bar.update(min(bar.total, round(seconds - left)) - bar.n)


def _is_id(text: object) -> bool:
    """Whether this may become a file name: an id has 11 of [A-Za-z0-9_-]; up to 64 are accepted."""
    return isinstance(text, str) and bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text)) and not _RESERVED.match(text)


_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)  # no file names on Windows


def _to_int(text: str | None, default: int | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,12}", text) else default


# --- HTTP: one exchange with a server, for the API and for images ----------------------------------------------


# A deadline that ends in the middle of the headers would show a traceback; the Outcome tells it in plain words.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class NoAnswer(Exception):
    """An exchange failed in a way that may pass; the text says how, in plain words."""


class CutOff(NoAnswer):
    """The host ended its answer in the middle, in an orderly way: a bad body, rather than trouble on the way."""


def _fetch(address: str, key: Secret | None = None) -> tuple[int, Mapping[str, str], bytes, float]:
    """One HTTP exchange: GET this address. Redirects are not followed, nothing is tried again.

    Args:
        key: an access key to send along, in a header.

    Returns:
        Status, headers, whole body, and the seconds until the answer began.

    Raises:
        NoAnswer: trouble that may pass, or the DEADLINE is over; CutOff if the body ended too early.
        ValueError: the address makes no sense.
    """
    import requests

    host = _host(address)
    request = copy.copy(host.request)
    request.prepare_url(address, None)
    if key:
        request.headers = host.request.headers.copy()
        _add_key(request.headers, key)
    sent, trouble, kind = time.perf_counter(), None, NoAnswer
    try:
        with host.adapter.send(
            request, stream=True, timeout=TIMEOUT, verify=host.verify, proxies=host.proxies
        ) as answer:
            waited, headers = time.perf_counter() - sent, answer.headers
            if (_to_int(headers.get("Content-Length"), None) or 0) > LARGEST:
                raise NoAnswer("the answer is larger than any photo")
            # At once, not in pieces: every piece costs a turn with the GIL.
            body = answer.raw.read(LARGEST if "Content-Length" not in headers else None, decode_content=True)
        if time.perf_counter() - sent <= DEADLINE:  # cut off then, which can look like the end of the answer
            return answer.status_code, headers, body, waited
    except (OSError, requests.packages.urllib3.exceptions.HTTPError) as problem:  # a RequestException is an OSError
        trouble = _plain(problem)
        kind = CutOff if re.search("IncompleteRead|InvalidChunkLength", str(problem)) else NoAnswer
    except KeyboardInterrupt:
        pass
    else:
        trouble = "no answer in time"
    finally:
        _in_use.pop(threading.get_ident(), None)
    # Raised out here, without the exception before: its frames and its request hold the key.
    if trouble is None:
        raise KeyboardInterrupt
    if time.perf_counter() - sent > DEADLINE:
        raise NoAnswer("no answer in time")
    raise kind(trouble)


def _add_key(headers: MutableMapping[str, str], key: Secret) -> None:
    headers["Authorization"] = f"Client-ID {key.reveal()}"
    headers["Accept-Version"] = "v1"
    headers["Accept-Encoding"] = "gzip"  # unlike images, JSON shrinks


@dataclass(frozen=True)
class _Host:
    """What all exchanges with a host share: connections, and a request that only lacks its address."""

    adapter: object = field(repr=False)  # requests.adapters.HTTPAdapter
    request: object = field(repr=False)  # requests.PreparedRequest
    proxies: dict
    verify: bool | str


_hosts: dict[tuple[int, str], _Host] = {}
_lock = threading.Lock()


def _host(address: str) -> _Host:
    """Connections for this address's host, shared by all threads of a process and kept between two requests.

    Keyed by process: a forked worker must not write on the connections of its parent. Proxies and certificates of
    the environment are looked up here, once, because a requests.Session would do it again for each photo. The
    request is prepared once as well: that and the adapter's own `send` save a third of the CPU time of a download
    (benchmarks/results.md).
    """
    parts = urlsplit(address)
    name = f"{parts.scheme}://{parts.netloc}"
    key = os.getpid(), name
    if key not in _hosts:
        import requests

        with _lock:
            if key not in _hosts:
                session = requests.Session()
                found = session.merge_environment_settings(name, {}, None, None, None)
                local = parts.hostname in ("127.0.0.1", "localhost")  # a practice server is behind no proxy
                session.trust_env = False  # no password of a .netrc file goes to a host
                session.headers["Accept-Encoding"] = "identity"  # images don't shrink
                request = session.prepare_request(requests.Request("GET", name))
                _hosts[key] = _Host(_adapter(), request, {} if local else dict(found["proxies"]), found["verify"])
    return _hosts[key]


def _adapter():
    """requests' HTTPAdapter, with connections that _hang_up can end."""
    from requests.adapters import HTTPAdapter

    def watched(manager):
        manager.pool_classes_by_scheme = {
            scheme: type("Pool", (pool,), {"ConnectionCls": type("Connection", (_Watched, pool.ConnectionCls), {})})
            for scheme, pool in manager.pool_classes_by_scheme.items()
        }
        return manager

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: object, **options: object) -> None:
            super().init_poolmanager(*arguments, **options)
            watched(self.poolmanager)

        def proxy_manager_for(self, proxy: str, **options: object):
            known = proxy in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **options)
            return manager if known else watched(manager)

    _start_watch(os.getpid())
    return Adapter(pool_connections=1, pool_maxsize=256)


class _Watched:
    """A connection of urllib3 that says what its thread waits for."""

    since = 0.0  # when its exchange began, in seconds on time.monotonic
    wire: socket.socket | None = None  # stays when the connection gives its `sock` away to the last answer

    def connect(self) -> None:
        super().connect()
        self.wire = self.sock

    def request(self, *arguments: object, **options: object) -> None:
        self.since = time.monotonic()
        _in_use[threading.get_ident()] = self
        super().request(*arguments, **options)


_in_use: dict[int, _Watched] = {}  # the connection of each thread that is in an exchange


def _hang_up(older_than: float = 0) -> None:
    """Shut down the connections whose exchange began so many seconds ago: whoever waits on one gets an error."""
    for connection in list(_in_use.values()):
        if connection.wire and time.monotonic() - connection.since >= older_than:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection.wire, socket.SHUT_RDWR)


@functools.lru_cache
def _start_watch(process: int) -> None:
    """Start one watching thread for each process id; a forked worker has none of its parent's threads."""
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    """End what takes longer than the DEADLINE: time-outs alone let an answer drip for ever.

    A worker process may not get the signal of an interrupt, and waits for work for ever if its parent is killed. So it
    looks after its parent here: it stops with it, and ends with it.
    """
    parent = multiprocessing.parent_process()
    while not threading.Event().wait(0.5):
        _hang_up(0 if _stop.is_set() else DEADLINE)  # again: an exchange may have begun while the others were ended
        if parent and not parent.is_alive():
            os._exit(1)
        elif parent and os.path.exists(os.path.join(os.environ.get(JOURNAL_VARIABLE, os.devnull), STOP)):
            _stop.set()
        elif parent:
            _stop.clear()


_stop = threading.Event()  # set by an interrupt, until the function that was interrupted has ended


def _back_off(attempt: int, retry_after: str | None = None) -> None:
    """Wait before the next try: twice as long each time, with jitter; `Retry-After` up to 10 s is obeyed."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    asked = 0.0
    with contextlib.suppress(InvalidHeader, ValueError, OverflowError):
        asked = min(10, Retry().parse_retry_after(retry_after or "0"))  # seconds, or a date
    _stop.wait(max(0.25 * 2**attempt * random.uniform(0.5, 1.5), asked))


def _plain(problem: Exception) -> str:
    """A network or file problem in a few plain words, without addresses."""
    text = f"{type(problem).__name__} {problem}"
    if isinstance(problem, OSError) and problem.strerror and not isinstance(problem, ConnectionError):
        return problem.strerror
    if "SSL" in text:
        return "the certificate could not be checked (is there a proxy?)"
    if "Timeout" in text or "timed out" in text:
        return "no answer in time"
    if any(word in text for word in ("NameResolution", "getaddrinfo", "Name or service")):
        return "the host's name was not found (no network?)"
    if "refused" in text:
        return "the connection was refused"
    if "IncompleteRead" in text or "InvalidChunkLength" in text:
        return "the answer was cut off"
    if any(word in text for word in ("Connection", "Chunked", "Protocol")):
        return "the connection broke off"
    return text[:200]


# --- One item: the same two functions for a loop, threads, processes and clusters ------------------------------


class Status(StrEnum):
    """How the work on one item ended."""

    DONE = "done"
    SKIPPED = "skipped"  # the file was there already
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one item.

    Attributes:
        item: id of the photo, or path of the image file.
        bytes: size of the file that was written.
        path: where it was written.
        started, finished: seconds on time.perf_counter, whose clock is the same for all processes of a machine.
        waited: seconds between sending the request and the first byte of the answer (downloads only).
        cpu: seconds in which this item kept a CPU busy.
        worker: process id and thread id.
        tries: how often it was tried.
        error: why it failed, or None.
    """

    item: str
    status: Status
    bytes: int = 0
    path: str = ""
    started: float = 0.0
    finished: float = 0.0
    waited: float = 0.0
    cpu: float = 0.0
    worker: str = ""
    tries: int = 1
    error: str | None = None


def download_photo(photo: Photo, folder: Path | str) -> Outcome:
    """Download one photo into `folder` as `<id>.jpg`. The file appears only when it is complete.

    A photo that is there already is skipped. Trouble that may pass (time-outs, status 5xx, a connection that breaks) is
    tried again, at most TRIES times in all, an answer that is not a whole JPEG at most BAD_BODY_TRIES times. After that
    the Outcome says what was wrong. Nothing expected raises.
    """
    return _recorded(photo.id, folder, functools.partial(_download, photo, folder))


def _download(photo: Photo, folder: Path | str) -> dict:
    if not _is_id(photo.id):
        return {"status": Status.FAILED, "error": "the id can't be a file name"}
    target = os.path.join(folder, f"{photo.id}.jpg")
    if os.path.exists(target):
        return {"status": Status.SKIPPED, "path": target, "bytes": os.path.getsize(target)}
    doubtful, bad, waited = b"", 0, 0.0
    for attempt in range(TRIES):
        retry_after = None
        try:
            status, headers, body, waited = _fetch(photo.url)
            if status != 200:
                trouble, retry_after = f"status {status}", headers.get("Retry-After")
                if status not in RETRIED:
                    break
            else:
                trouble = _not_a_jpeg(body)
                if not trouble and ZEROS in body and body != doubtful:
                    trouble, doubtful = "the JPEG holds a run of zeros", body
                if not trouble:
                    _write(target, body)
                    done = {"status": Status.DONE, "path": target, "bytes": len(body)}
                    return done | {"waited": waited, "tries": attempt + 1}
                bad += 1
        except NoAnswer as problem:
            trouble, bad = str(problem), bad + isinstance(problem, CutOff)
        except ValueError:
            trouble = "the address makes no sense"
            break
        except OSError as problem:  # the disk: trying again would not help
            trouble = _plain(problem)
            break
        if bad == BAD_BODY_TRIES or attempt + 1 == TRIES:
            break
        _back_off(attempt, retry_after)
        if _stop.is_set():
            trouble = INTERRUPTED
            break
    return {"status": Status.FAILED, "error": trouble, "tries": attempt + 1, "waited": waited}


# Damage is often a block of zeros. In a JPEG a long run of them is rare, but possible in a large area of one colour. So
# such a photo is asked for once more, and taken if the same bytes come again.
ZEROS = bytes(32)
INTERRUPTED = "interrupted"


def save_photo(photo: Photo, folder: Path | str, body: bytes, started: float) -> Outcome:
    """Write a photo that another HTTP client fetched, for comparisons with download_photo.

    Args:
        started: when the download began, in seconds on time.perf_counter.
    """

    def work() -> dict:
        if trouble := _not_a_jpeg(body):
            return {"status": Status.FAILED, "error": trouble}
        target = os.path.join(folder, f"{photo.id}.jpg")
        _write(target, body)
        return {"status": Status.DONE, "path": target, "bytes": len(body)}

    return _recorded(photo.id, folder, work, started)


def _not_a_jpeg(body: bytes) -> str:
    """Why these bytes are not a whole JPEG file, or "" (its first and last marker: ITU-T T.81, B.1.1.3)."""
    if not body:
        return "the answer was empty"
    if not body.startswith(b"\xff\xd8\xff"):
        return "the answer is not a JPEG (a log-in page of the Wi-Fi?)"
    if b"\xff\xd9" not in body[-64:]:  # some cameras pad the end
        return "the JPEG ends in the middle"
    return ""


class _Trickle(io.BytesIO):
    """A file that hands out what comes after `bulk` byte by byte."""

    bulk = sys.maxsize

    def read(self, size: int = -1) -> bytes:
        left = self.bulk - self.tell()
        return super().read(size if size <= left else max(left, 1))


def _is_sound(body: bytes) -> bool:
    """Whether a decoder needs all of these bytes of a JPEG file, and no more of them, for the whole picture.

    Pillow does not tell of damage inside of a picture. But damage mostly changes how many pixels the bytes stand for:
    the decoder has all rows before it has read the last bytes, or still lacks some after them. So it gets the last
    bytes one by one, and zeros in place of the end marker. A slack of 8 bytes each way is what the decoder reads ahead,
    and what some cameras write too much.

    It can't notice damage after which the number of pixels is right by chance: about every fourth broken middle, and
    most single bits (benchmarks/soundness.py measures it). Nor damage between two restart markers. Of a JPEG with
    several scans (progressive), it only sees whether the decoder gets to the end.
    """
    slack = 8
    file = _Trickle(body)
    try:
        with JpegImageFile(file) as image:  # Image.open would go back to the start if the file has several pictures
            if image.width * image.height > Image.MAX_IMAGE_PIXELS:
                return True  # a decompression bomb is not decoded; make_thumbnail refuses it
            begin = file.tell()
            one_scan = body.startswith(b"\xff\xda", begin - 8 - 2 * image.layers) and "progressive" not in image.info
            if one_scan:
                marker = _MARKER.search(body, begin)
                if not marker or body[marker.start() : marker.start() + 64].lstrip(b"\xff")[:1] != b"\xd9":
                    return False
                file.seek(marker.start())
                file.truncate()
                file.write(bytes(slack))
                file.bulk = max(begin, marker.start() - slack)
            image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))  # less to compute
            image.load()
            return not one_scan or file.tell() > file.bulk
    except (OSError, SyntaxError, ValueError):
        return False


_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")  # ends a scan, unlike FF 00 and restart markers (T.81, B.1.1.5)


def make_thumbnail(path: Path | str, folder: Path | str, size: int = 200) -> Outcome:
    """Write a thumbnail of one image file into `folder`, as a JPEG with the same name.

    The longer side gets `size` pixels; a smaller image is not enlarged. The camera's orientation (EXIF) is
    applied, colours are turned into sRGB, transparency becomes white. A file that is no image gives a failed
    Outcome. Pillow's limit against decompression bombs stays on.
    """
    path = os.fspath(path)
    return _recorded(path, folder, functools.partial(_thumbnail, path, folder, size))


def _thumbnail(path: str, folder: Path | str, size: int) -> dict:
    target = os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + ".jpg")
    if os.path.exists(target):
        if os.path.samefile(target, path):
            return {"status": Status.FAILED, "error": "the thumbnail would overwrite its original"}
        return {"status": Status.SKIPPED, "path": target, "bytes": os.path.getsize(target)}
    try:
        with Image.open(path) as image:
            small = _shrink(image, size)
        size_on_disk = _write(target, functools.partial(small.save, format="JPEG", quality=85))
    except Image.DecompressionBombError:
        return {"status": Status.FAILED, "error": "too many pixels: it could be a decompression bomb"}
    except Image.UnidentifiedImageError:
        return {"status": Status.FAILED, "error": "this is not an image that Pillow knows"}
    except MemoryError:
        return {"status": Status.FAILED, "error": "there is not enough memory for this image"}
    except (OSError, ValueError, SyntaxError, EOFError) as problem:  # all that broken files cause
        if isinstance(problem, OSError) and problem.errno:  # the disk
            return {"status": Status.FAILED, "error": _plain(problem)}
        reason = f"the image is broken: {str(problem).partition(' (')[0]}".rstrip(": ")
        return {"status": Status.FAILED, "error": reason[:200]}
    return {"status": Status.DONE, "path": target, "bytes": size_on_disk}


def _shrink(image: Image.Image, size: int) -> Image.Image:
    """The image as RGB (or YCbCr, as JPEG stores it) in sRGB, upright, its longer side at most `size` pixels."""
    scale = min(1, size / max(image.size))
    fitted = tuple(max(1, round(side * scale)) for side in image.size)
    profile = image.info.get("icc_profile")
    # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which is faster but softer. The decoder may go down to 1.3
    # times the thumbnail. From 1.5 times on, enough is left for BICUBIC; below, only the slower LANCZOS keeps as much
    # sharpness. A JFIF file holds YCbCr; without that conversion, colours can be resized for themselves. The encoder
    # averages them anyway, as it stores them half as fine as brightness. So picking single pixels is enough, and
    # averaging twice would blur them (benchmarks/results.md); but not if 1/8 of a large image still has many more.
    as_stored = image.mode == "RGB" and "jfif" in image.info and not profile
    drafted = image.draft("YCbCr" if as_stored else None, tuple(round(side * 1.3) for side in fitted))
    box = drafted[1] if drafted else (0, 0, *image.size)  # in pixels and fractions of the scaled image
    left = max(box) / max(fitted)
    fine = Image.Resampling.BICUBIC if left >= 1.5 else Image.Resampling.LANCZOS
    coarse = Image.Resampling.NEAREST if left < 3 else Image.Resampling.BOX
    orientation = image.getexif().get(0x0112, 1) if "exif" in image.info else 1
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bit(image)
    if image.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode not in ("L", "RGB", "RGBA", "CMYK", "YCbCr"):
        image = image.convert("RGB")
    if image.mode == "YCbCr":
        brightness, *colours = image.split()
        colours = [band.resize(fitted, coarse, box) for band in colours]
        image = Image.merge("YCbCr", [brightness.resize(fitted, fine, box), *colours])
    else:
        image = image.resize(fitted, fine, box)
    if profile:
        image = _to_srgb(image, profile)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    if image.mode not in ("RGB", "YCbCr"):
        image = image.convert("RGB")
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


# What makes an image upright, by its EXIF orientation (CIPA DC-008, tag 0x0112).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit or float grey as 8 bit: values above 255 are taken as 16 bit and divided by 256."""
    grey = image.convert("F")
    return grey.point(lambda value: value * (1 / 256)).convert("L") if grey.getextrema()[1] > 255 else grey.convert("L")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours converted from the embedded ICC profile; a profile that makes no sense is ignored."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, _srgb(), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


@functools.lru_cache
def _srgb():
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")


def _write(path: Path | str, content: bytes | Callable[[BinaryIO], object]) -> int:
    """Write a whole file or none: it gets its name only after its last byte. Returns its size in bytes.

    Args:
        content: the bytes, or a function that writes them into an open file. Pillow encodes into a file without
            holding the GIL, but holds it while it encodes into memory.
    """
    part = f"{os.fspath(path)}.{os.getpid()}-{threading.get_ident()}.part"
    try:
        with open(part, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            size = file.tell()
        os.replace(part, path)
        return size
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


# --- Many items at once -----------------------------------------------------------------------------------------


DISTRIBUTED = "distributed~=2026.1"  # the optional package, as in requirements-cluster.txt


class ClusterError(AssignmentError):
    """No cluster can be used; the text says what to do."""


def as_done(executor: Executor, function: Callable, *iterables: Iterable, limit: int) -> Iterator:
    """Like `executor.map(function, *iterables)`, but yields results as they finish, and sends no more than it must.

    Items are taken from the iterables only as there is room, so these may be endless, or wait for another stage;
    while they make it wait for an item, results wait, too. If the caller stops, or the function raises, what has not
    begun is cancelled.

    Args:
        limit: the most items that are under way (sent, and their result not yielded yet). Twice the number of
            workers keeps all of them busy.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    items = zip(*iterables)  # noqa: B905 - like map: the shortest one ends it, so repeat() may be among them
    under_way: set[Future] = set()
    finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
    try:
        while True:
            for arguments in itertools.islice(items, limit - len(under_way)):
                future = executor.submit(function, *arguments)
                under_way.add(future)
                future.add_done_callback(finished.put)
                if not finished.empty():
                    break
            if not under_way:
                return
            future = finished.get()
            under_way.remove(future)
            yield future.result()
    finally:
        for future in under_way:
            future.cancel()


@contextlib.contextmanager
def cluster(workers: int, scheduler: str = "") -> Iterator[Executor]:
    """A Dask cluster with the interface of concurrent.futures. It needs the package distributed.

    An item whose worker is lost is done again by another one. Send absolute paths: workers may be in another folder.

    Args:
        workers: how many worker processes to start on this machine; they can't be reached from others.
        scheduler: address of a running scheduler, such as "tcp://10.0.0.1:8786"; its workers get a copy of this file.

    Raises:
        ClusterError: distributed is not installed, or nobody answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(f"The package distributed is missing: pip install '{DISTRIBUTED}'") from None
    if scheduler:
        try:
            client = Client(scheduler, timeout=TIMEOUT[0])
        except OSError:
            raise ClusterError(f"No Dask scheduler answers at {scheduler}: see [cluster] in config.ini.") from None
    else:
        client = Client(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
        )
    with client:
        if scheduler:
            client.upload_file(__file__)
        # pure=False: otherwise a call that was made before is not made again, and its old result comes back.
        with client.get_executor(pure=False) as executor:
            yield executor


def nap(seconds: float) -> None:
    """Sleep: an item without work, for which a worker has to import this file."""
    time.sleep(seconds)


def thumbnail_bytes(name: str, body: bytes, size: int = 200) -> tuple[Outcome, bytes]:
    """make_thumbnail for a worker that shares no disk with the sender: an image's bytes in, a thumbnail's bytes out.

    Args:
        name: what the Outcome calls the item.

    Returns:
        The Outcome, and the same bytes that make_thumbnail writes, or none if it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write(original := os.path.join(folder, "original"), body)
        outcome = make_thumbnail(original, folder, size)
        thumbnail = Path(outcome.path).read_bytes() if outcome.status is Status.DONE else b""
    return replace(outcome, item=name, path=""), thumbnail


def pipeline(
    photos: Iterable[Photo],
    images_folder: Path | str,
    thumbnails_folder: Path | str,
    size: int,
    threads: int,
    processes: int,
    waiting: int = 128,
) -> Iterator[Outcome]:
    """Download photos in threads, and make thumbnails of them in processes as they arrive.

    The second stage asks the first one for the next photo, so a slow second stage holds the first one back.

    Args:
        waiting: the most photos that have been handed to the second stage and whose thumbnails are not yielded yet.
            While processes start, downloads go on up to here.

    Yields:
        The thumbnails' Outcomes as they finish, and those of the downloads that failed.
    """
    failed: list[Outcome] = []

    def arrived(downloads: Iterable[Outcome]) -> Iterator[str]:
        for outcome in downloads:
            if outcome.status is Status.FAILED:
                failed.append(outcome)
            else:
                yield outcome.path

    with (
        ThreadPoolExecutor(threads) as downloaders,
        ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as resizers,
        contextlib.closing(
            as_done(downloaders, download_photo, photos, itertools.repeat(images_folder), limit=2 * threads)
        ) as downloads,
    ):
        folders, sizes = itertools.repeat(thumbnails_folder), itertools.repeat(size)
        yield from as_done(resizers, make_thumbnail, arrived(downloads), folders, sizes, limit=waiting)
    yield from failed


# --- Timed runs -----------------------------------------------------------------------------------------------

JOURNAL = ".outcomes"  # folder inside of a timed run's folder: one file for each worker
MEETING = "meeting"  # folder inside of the journal's, see _meet
STOP = "stop"  # file inside of the journal's folder, see _stopping
LOST = "lost-"  # begins the name of an empty file there: a worker could not note an Outcome, for this reason (errno)
JOURNAL_VARIABLE = "ASSIGNMENT_JOURNAL"  # the same for work that goes to another folder by mistake


_clock = time.perf_counter  # a function under test can't change it


def _recorded(item: str, folder: Path | str, work: Callable[[], dict], began: float | None = None) -> Outcome:
    """Do the work of one item, note times and worker, and write the Outcome into the journal of a timed run.

    The journal lets timed_run know what every worker did, whatever the function under test returns.
    """
    worker = _worker()
    started, cpu = _clock(), time.thread_time()
    if multiprocessing.parent_process():
        _start_watch(os.getpid())
    journal = os.path.join(folder, JOURNAL)  # outside of a timed run there is none
    if not os.path.exists(journal):
        journal = os.environ.get(JOURNAL_VARIABLE, "")
    if journal:
        if os.path.exists(os.path.join(journal, STOP)):
            return Outcome(item, Status.FAILED, worker=worker, tries=0, error=INTERRUPTED)
        if os.path.exists(meeting := os.path.join(journal, MEETING)):
            _meet(meeting, worker)
    result = work()
    outcome = Outcome(
        item, started=began or started, finished=_clock(), cpu=time.thread_time() - cpu, worker=worker, **result
    )
    if journal and outcome.error != INTERRUPTED:
        _note(outcome, os.path.join(journal, worker))
    return outcome


def _note(outcome: Outcome, path: str) -> None:
    """Append the Outcome to a worker's file of the journal."""
    try:
        # One call of the system for the whole line: a kill leaves no part of it.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(file, (json.dumps(vars(outcome)) + "\n").encode())
        finally:
            os.close(file)
    except FileNotFoundError:
        pass  # the run is over, and its folder deleted
    except OSError as problem:
        with contextlib.suppress(OSError):
            Path(os.path.dirname(path), f"{LOST}{problem.errno}").touch()


def _meet(meeting: str, worker: str) -> None:
    """Wait until a second item is in work, which notes "met", or until patience ends, which notes "alone".

    This proves on a machine of any speed whether a function really works on two items at once. The check of an
    exercise asks for it, by making the folder, only where the times of a run leave that open.
    """
    here = os.path.join(meeting, f"in-work-{worker}")
    end = time.monotonic() + float(Path(meeting, "patience").read_text(encoding="utf-8"))
    Path(here).touch()
    while not {"met", "alone"} & set(names := os.listdir(meeting)):
        if len(names) > 2:  # this one, another one, and "patience"
            Path(meeting, "met").touch()
        elif time.monotonic() > end:
            Path(meeting, "alone").touch()
        else:
            time.sleep(0.01)
    os.unlink(here)


class UnequalWork(AssignmentError):
    """Two runs may not be compared; the text says which rule broke."""


@dataclass(frozen=True)
class Run:
    """One timed run of one stage.

    Attributes:
        task: "download" or "resize".
        items: ids of photos or paths of images, as many as there were to be done.
        wall: wall time in seconds, from the call to the return, start-up of a pool included.
        started: when it began, in seconds on time.perf_counter.
        caller: process id and thread id of the notebook itself.
        outcomes: what the workers noted, in the order in which they finished.
        files: SHA-256 of every file in the run's folder, by name.
        damaged: ids of photos that arrived broken inside, see _replace_damaged.
    """

    task: str
    items: tuple[str, ...] = field(repr=False)
    wall: float
    started: float
    caller: str
    outcomes: tuple[Outcome, ...] = field(repr=False)
    files: dict[str, str] = field(repr=False)
    folder: Path = field(repr=False)
    damaged: tuple[str, ...] = ()

    @property
    def workers(self) -> int:
        """How many threads or processes did the work."""
        return len({outcome.worker for outcome in self.outcomes})

    @property
    def mode(self) -> str:
        """serial, threads, processes or coroutines: read from who did the work, not from what was meant."""
        if self.workers == 1 and self.peak > 1:
            return "coroutines"
        if {outcome.worker for outcome in self.outcomes} <= {self.caller}:
            return "serial"
        here = self.caller.split("-")[0]
        return "threads" if all(outcome.worker.split("-")[0] == here for outcome in self.outcomes) else "processes"

    @property
    def done(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status is Status.DONE]

    @property
    def throughput(self) -> float:
        """Items per second of wall time."""
        return len(self.done) / self.wall

    @property
    def overlap(self) -> float:
        """Sum of the items' own times over the wall time: how many were in work at once, on average."""
        return sum(outcome.finished - outcome.started for outcome in self.outcomes) / self.wall

    @property
    def start_up(self) -> float:
        """Seconds until the first item was begun: what it takes to start the workers."""
        return min((outcome.started for outcome in self.outcomes), default=self.started) - self.started

    @property
    def peak(self) -> int:
        """The most items that were in work at the same moment."""
        edges = sorted([(o.started, 1) for o in self.outcomes] + [(o.finished, -1) for o in self.outcomes])
        return max(itertools.accumulate((step for _, step in edges), initial=0))

    @property
    def waited(self) -> float:
        """Seconds for which the items waited for their first byte, all workers together."""
        return sum(outcome.waited for outcome in self.outcomes)

    @property
    def cpu(self) -> float:
        """Seconds for which the items kept a CPU busy, all workers together."""
        return sum(outcome.cpu for outcome in self.outcomes)

    def label(self) -> str:
        """ "serial", "1 thread", "2 processes", ..."""
        if self.mode in ("serial", "coroutines"):
            return self.mode
        one = {"threads": "thread", "processes": "process"}[self.mode]
        return f"1 {one}" if self.workers == 1 else f"{self.workers} {self.mode}"

    def sentence(self) -> str:
        """What was done, for the line below the progress bar."""
        megabytes = sum(outcome.bytes for outcome in self.done) / 1e6
        text = (
            f"{self.task.capitalize()}, {self.label()}: {len(self.done):,} of {len(self.items):,} photos, "
            f"{megabytes:,.1f} MB in {self.wall:.1f} s ({self.throughput:.1f} photos/s)."
        )
        found = problems(self)
        return f"{text} This run does not count: {'; '.join(found)}." if found else text

    def row(self) -> dict[str, object]:
        """The run as one row of a table: MB are 10^6 bytes, times are seconds."""
        return {
            "stage": self.task,
            "mode": self.mode,
            "workers": self.workers,
            "photos": len(self.done),
            "MB written": round(sum(outcome.bytes for outcome in self.done) / 1e6, 1),
            "wall time (s)": round(self.wall, 2),
            "photos/s": round(self.throughput, 1),
            "CPU time (s)": round(self.cpu, 2),
            "in work at once": round(self.overlap, 2),
            "peak": self.peak,
            "retries": sum(outcome.tries - 1 for outcome in self.outcomes if outcome.tries),
        }

    def discard(self) -> None:
        """Delete the run's files; its records and digests stay."""
        shutil.rmtree(self.folder, ignore_errors=True)


def timed_run(function: Callable, items: Sequence[Photo | Path], *arguments: object) -> Run:
    """Call `function(items, folder, *arguments)` with an empty folder, and measure it.

    The name of the function begins with the stage: download_serial, resize_parallel, ...

    Raises:
        FileProblem: the run's folder can't be written.
        Interrupted: after an interrupt; all workers have stopped, and the text says what was done until then.
    """
    task, _, _ = function.__name__.partition("_")
    with _on_disk("The run"):
        folder = _empty(f"{function.__name__}")
    names = tuple(item.id if isinstance(item, Photo) else os.fspath(item) for item in items)
    own = list(items)  # a function may empty its list
    started, wall = _timed(function, task, [folder], own, folder, *arguments)
    with _on_disk("The run"):
        run = Run(task, names, wall, started, _worker(), _read_journal(folder), _digests(folder), folder)
        return _replace_damaged(run, items) if task == "download" else run


def timed_pipeline(function: Callable, photos: Sequence[Photo], *arguments: object) -> tuple[Run, Run]:
    """Call `function(photos, images_folder, thumbnails_folder, *arguments)` with empty folders, and measure it.

    Returns:
        What happened in the download, and in the resize. The wall time of both is that of the whole.

    Raises:
        As timed_run does.
    """
    with _on_disk("The run"):
        stages = {task: _empty(f"{function.__name__}_{task}") for task in ("download", "resize")}
    folders = list(stages.values())
    started, wall = _timed(function, "pipeline", folders, list(photos), *folders, *arguments)
    ids = tuple(photo.id for photo in photos)
    items = {"download": ids, "resize": tuple(os.path.join(stages["download"], f"{name}.jpg") for name in ids)}
    with _on_disk("The run"):
        runs = [
            Run(task, items[task], wall, started, _worker(), _read_journal(folder), _digests(folder), folder)
            for task, folder in stages.items()
        ]
    return runs[0], runs[1]


def _timed(function: Callable, task: str, folders: Sequence[Path], *arguments: object) -> tuple[float, float]:
    """Call the function with the clock on. Returns when it began (seconds on time.perf_counter) and its wall time."""
    journals = [folder / JOURNAL for folder in folders]
    if len(journals) == 1:
        os.environ[JOURNAL_VARIABLE] = str(journals[0].absolute())
    here = Path.cwd()  # a function may change the directory: not the notebook's
    started = _clock()
    try:
        with _stopping([journal.absolute() for journal in journals]):
            function(*arguments)
        return started, _clock() - started
    except KeyboardInterrupt:
        seconds = _clock() - started
        os.chdir(here)
        done = sum(o.status is Status.DONE for folder in folders for o in _read_journal(folder))
        raise Interrupted(
            f"{task}, {done:,} photos were done in {seconds:.1f} s. A timed run begins with an empty folder: run this "
            "cell again."
        ) from None
    finally:
        os.environ.pop(JOURNAL_VARIABLE, None)
        os.chdir(here)


@contextlib.contextmanager
def _stopping(journals: Sequence[Path]) -> Iterator[None]:
    """At an interrupt (Ctrl-C, or the notebook's stop button), tell all workers to stop.

    Otherwise the end of an executor's `with` block would wait until the whole queue is done. Workers look for the file
    STOP before each item, in whatever process they are; connections are shut down, and pauses end.
    """
    if threading.current_thread() is not threading.main_thread():  # only there a signal can be handled
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        _stop.set()
        for journal in journals:
            with contextlib.suppress(OSError):
                (journal / STOP).touch()
        _hang_up()
        (before if callable(before) else signal.default_int_handler)(number, frame)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _stop.clear()


def _empty(name: str) -> Path:
    """An empty folder for a timed run, with the journal in it; another notebook in the same folder has its own."""
    folder = CACHE / "runs" / str(os.getpid()) / name
    if folder.exists():
        shutil.rmtree(folder)
    (folder / JOURNAL).mkdir(parents=True)
    return folder


def _replace_damaged(run: Run, photos: Sequence[Photo]) -> Run:
    """Decode every photo of a download once, and fetch those that are broken inside again; after the clock has stopped.

    Decoding takes longer than receiving, so it is no part of a download. A run with such photos does not count, but
    its photos can be kept. One that is still broken then is left out. A file of another size than download_photo wrote
    was changed afterwards: that is for the checks to say.
    """
    written = {os.path.basename(outcome.path): outcome.bytes for outcome in run.done}
    unknown = [
        name
        for name, digest in run.files.items()
        if digest not in _sound and (run.folder / name).stat().st_size == written.get(name)
    ]

    def decoded(name: str) -> tuple[str, bool]:
        return name, _is_sound((run.folder / name).read_bytes())

    with ThreadPoolExecutor(usable_cpus()) as executor:
        sound = dict(as_done(executor, decoded, unknown, limit=2 * usable_cpus()))
    _sound.update(run.files[name] for name in sound if sound[name])
    damaged = tuple(name.removesuffix(".jpg") for name in sound if not sound[name])
    if not damaged:
        return run
    for photo in photos:
        if photo.id in damaged:
            path = run.folder / f"{photo.id}.jpg"
            path.unlink()
            if _download(photo, run.folder)["status"] is Status.DONE and not _is_sound(path.read_bytes()):
                path.unlink()
    return replace(run, files=_digests(run.folder), damaged=damaged)


_sound: set[str] = set()  # SHA-256 of photos that were decoded whole


def _worker() -> str:
    return f"{os.getpid()}-{threading.get_native_id()}"


def _read_journal(folder: Path) -> tuple[Outcome, ...]:
    """What the workers noted, in the order in which they finished.

    Raises:
        FileProblem: one of them could not note it.
    """
    outcomes = []
    for path in (path for path in (folder / JOURNAL).iterdir() if path.is_file()):
        if path.name.startswith(LOST):
            reason = os.strerror(int(path.name.removeprefix(LOST)))
            raise FileProblem(f"The records of this run could not be written: {reason}. Make room, and run it again.")
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                values = json.loads(line)
                same = {"status": Status(values["status"]), "worker": sys.intern(values["worker"])}
                outcomes.append(Outcome(**values | same))
    return tuple(sorted(outcomes, key=lambda outcome: outcome.finished))


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        with contextlib.suppress(FileNotFoundError):  # a worker that outlives the function has just renamed it
            digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def problems(run: Run) -> list[str]:
    """Why the time of this run does not count; an empty list if it does."""
    found = []
    asked, noted = (Counter(map(_same, run.items)), Counter(_same(outcome.item) for outcome in run.outcomes))
    missing, surplus = asked - noted, noted - asked
    late = [outcome for outcome in run.outcomes if outcome.finished > run.started + run.wall]
    failed = [outcome for outcome in run.outcomes if outcome.status is Status.FAILED]
    skipped = [outcome for outcome in run.outcomes if outcome.status is Status.SKIPPED]
    strayed = [o for o in run.done if _same(os.path.dirname(o.path)) != _same(os.fspath(run.folder))]
    if failed:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in Counter(o.error for o in failed).most_common(3))
        found.append(f"{len(failed):,} of {len(run.items):,} items failed: {reasons}")
    if missing:
        found.append(f"{missing.total():,} of {len(run.items):,} items were never done")
    if surplus:
        found.append(f"{surplus.total():,} items were done more than once, or were not on the list")
    if late:
        found.append(f"{len(late):,} items were finished after the clock had stopped")
    if strayed:
        found.append(f"{len(strayed):,} files were written to another folder than the one that was given")
    if skipped:
        found.append(f"{len(skipped):,} items were skipped because their file was there already")
    if run.damaged:
        lost = sum(f"{name}.jpg" not in run.files for name in run.damaged)
        again = f"{lost:,} of them are broken again and left out" if lost else "they are whole now"
        found.append(
            f"{len(run.damaged):,} photos arrived broken inside, and were fetched again after the clock had stopped; "
            f"{again}"
        )
    if not found and len(run.files) != len(run.items):
        found.append(f"{len(run.files):,} files stand in the folder, not {len(run.items):,}")
    return found


def _same(name: str) -> str:
    """One spelling for each item: paths may be relative or absolute; an id stays as it is."""
    return os.path.normcase(os.path.abspath(name)) if os.path.dirname(name) else name


def compare(baseline: Run, other: Run) -> float:
    """Speed-up: the baseline's wall time divided by the other run's. Both must have done equal work.

    Raises:
        UnequalWork: the runs differ in stage, items, files or bytes, or one of them has failures.
    """
    for run in (baseline, other):
        if found := problems(run):
            raise UnequalWork(f"The {run.mode} {run.task} does not count: {'; '.join(found)}.")
    if baseline.task != other.task:
        raise UnequalWork(f"The two runs were of different stages: {baseline.task} and {other.task}.")
    if Counter(map(_same, baseline.items)) != Counter(map(_same, other.items)):
        raise UnequalWork("The two runs had different items to do.")
    if different := sum(baseline.files[name] != other.files.get(name) for name in baseline.files):
        raise UnequalWork(f"{different:,} files of the {other.mode} run differ from those of the {baseline.mode} run.")
    return baseline.wall / other.wall


def sweep(
    functions: Sequence[Callable],
    items: Sequence[Photo | Path],
    counts: Sequence[int],
    *arguments: object,
    repetitions: int = 3,
) -> list[tuple[int, Run]]:
    """Timed runs with each number of workers, in alternation, so that a disturbance does not hit one alone.

    Returns:
        (number of workers, Run), all proved to be of equal work; their files are deleted again.

    Raises:
        UnequalWork: as in compare.
    """
    runs: list[tuple[int, Run]] = []
    plan = [(function, count) for _ in range(repetitions) for function in functions for count in counts]
    with _bar(len(plan), f"Measuring {len(items)} items", unit=" runs") as bar, quiet():
        for function, count in plan:
            run = timed_run(function, items, *arguments, count)
            compare(runs[0][1] if runs else run, run)
            run.discard()
            runs.append((count, run))
            bar.update()
    return runs


def keep(run: Run, folder: Path | str) -> list[Path]:
    """Move the files of a run to their place, for example `images/`; returns their paths, sorted by name.

    Other files in the folder stay; a file of the same name is replaced.

    Raises:
        FileProblem: a file can't be moved; those before it are in their place, the others still in the run's folder.
    """
    folder = Path(folder)
    with _on_disk("Keeping the files"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in run.files:
            if (run.folder / name).exists() or not (folder / name).exists():  # else moved before: a cell ran twice
                _move(run.folder / name, folder / name)
    run.discard()
    return [folder / name for name in run.files]


def _move(path: Path, target: Path) -> None:
    """Move a file, whole at any moment, to another disk as well."""
    try:
        os.replace(path, target)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        _write(target, path.read_bytes())
        path.unlink()


# --- Display: progress and charts -----------------------------------------------------------------------------


def progress(iterable: Iterable, description: str, total: int | None = None, unit: str = " photos") -> Iterator:
    """Pass the items on and count them in one line: live in a notebook or a terminal, readable when saved."""
    total = len(iterable) if total is None else total  # type: ignore[arg-type]
    with _bar(total, description, unit) as bar:
        for item in iterable:
            yield item
            bar.update()


def say(text: str) -> None:
    """Print a sentence in lines that a saved notebook shows without breaking words."""
    print("\n".join(textwrap.fill(line, 96) for line in text.splitlines()))


def show(description: str) -> None:
    """Show the current matplotlib chart and close it. The description is for readers who can't see it.

    It is the picture's alternative text, which the HTML report reads. JupyterLab and Notebook give pictures no
    alternative text (https://github.com/jupyter/enhancement-proposals/issues/120), so it can be unfolded below
    the chart as well. Outside of a notebook the chart is shown without it.
    """
    import matplotlib.pyplot as plt

    if not _in_notebook():
        plt.show()
        return
    from IPython.display import display

    png = io.BytesIO()
    plt.savefig(png, format="png", bbox_inches="tight")
    plt.close()
    picture = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": description}
    unfold = f"<details><summary>The chart in words</summary><p>{html.escape(description)}</p></details>"
    display(picture, raw=True, metadata={"image/png": {"alt": description}})
    display({"text/html": unfold, "text/plain": description}, raw=True)


def _bar(total: int, description: str, unit: str = " photos", initial: int = 0):
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        initial=initial,
        ncols=100,
        mininterval=0.25,
        file=_DisplayLine() if _in_notebook() and not _progress["disable"] else sys.stderr,
        disable=_progress["disable"],
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress lines inside, for measurements that have one of their own."""
    _progress["disable"] = True
    try:
        yield
    finally:
        _progress["disable"] = False


_progress = {"disable": False}


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


class _DisplayLine(io.TextIOBase):
    """A file for tqdm whose text is one notebook output, updated in place.

    tqdm.notebook draws a widget that saved notebooks show as "0%", and plain tqdm leaves a line for each update.
    """

    def __init__(self) -> None:
        from IPython.display import display

        self.handle = display({"text/plain": ""}, raw=True, display_id=True)

    def write(self, text: str) -> int:
        if line := text.strip():
            self.handle.update({"text/plain": line}, raw=True)
        return len(text)
