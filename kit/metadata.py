"""The metadata of photos: fetched page by page, each on disk before the next, and made ready for pandas."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kit.dataset import read_dataset
from kit.display import progress_line
from kit.errors import QuotaReached, SourceError, interruptible
from kit.files import CACHE, on_disk, write
from kit.items import is_id
from kit.source import PER_PAGE, Source

if TYPE_CHECKING:
    import pandas as pd


def collect_photos(
    source: Source, count: int, wait: bool = False, cache: Path | None = None, hour: float = 3600
) -> list[dict]:
    """Metadata of `count` different photos, 30 per request.

    Every page is on disk before the next is asked for, so running this again asks only for what is missing. Photos that
    are known to be gone are left out (remember_gone).

    Args:
        wait: when the quota ends, wait for the next hour with a progress line, instead of stopping.
        cache: folder of the metadata; default `cache/metadata`.
        hour: seconds after which the quota is renewed (a practice server may have a shorter hour).

    Returns:
        The records as the API sent them (https://unsplash.com/documentation#get-a-random-photo).

    Raises:
        QuotaReached: the text says how many records are there and when to go on.
        KeyRejected, SourceError: as in Source.get.
        Interrupted: the text says how many records are there.
        FileProblem: the records can't be kept. What was collected is kept in any case.
    """
    path = (cache or CACHE / "metadata") / f"{source.slug}.jsonl"
    with on_disk("Collecting metadata"):
        path.parent.mkdir(parents=True, exist_ok=True)
        records = _read_pages(path, source.slug)
        gone = _gone(path)
    if source.dataset:  # it lies on this disk: there is nothing to ask for and to keep
        return read_dataset(source.dataset, count, source.image_hosts, gone)
    for name in gone & records.keys():
        del records[name]
    if len(records) >= count:
        print(f"The metadata of {count:,} photos are on disk already: no request was needed.")
        return list(records.values())[:count]
    fruitless = 0

    def so_far() -> str:
        kept = len(_read_pages(path, source.slug).keys() - gone)
        return f"{kept:,} of {count:,} records are on disk. Run this cell again: only the rest will be asked for."

    with interruptible(so_far), progress_line(count, "Collecting metadata", initial=len(records)) as line:
        while len(records) < count:
            try:
                page = source.get("/photos/random", count=PER_PAGE)
            except QuotaReached as problem:
                if not wait:
                    again = datetime.fromtimestamp((time.time() // hour + 1) * hour)
                    raise QuotaReached(
                        f"{problem} {len(records):,} of {count:,} records are on disk. Run this cell again after "
                        f"{again:%H:%M}, or call collect_photos with wait=True: only the rest will be asked for."
                    ) from None
                _wait_for_quota(hour)
                continue
            if not isinstance(page, list) or not all(isinstance(record, dict) for record in page):
                raise SourceError(f"{source.name} sent something else than a list of photos. Run this cell again.")
            with on_disk("Collecting metadata"), open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"source": source.slug, "photos": page}) + "\n")
                file.flush()
                os.fsync(file.fileno())
            before = len(records)
            for record in page:
                if is_id(record.get("id")) and record["id"].lower() not in gone:
                    records.setdefault(record["id"].lower(), record)
            line.update(min(len(records), count) - line.n)
            fruitless = 0 if len(records) > before else fruitless + 1
            if fruitless == 5:  # don't burn the quota on a source that has no more photos
                raise SourceError(f"{source.name} has no more than {len(records):,} different photos to offer.")
    return list(records.values())[:count]


def remember_gone(source: Source, ids: Iterable[str], cache: Path | None = None) -> None:
    """Let collect_photos leave out these photos from now on.

    Raises:
        FileProblem: it can't be noted.
    """
    path = (cache or CACHE / "metadata") / f"{source.slug}.gone"
    with on_disk("Noting which photos are gone"):
        write(path, "\n".join(sorted({*map(str.lower, ids), *_gone(path)})).encode())


def _gone(path: Path) -> set[str]:
    """Ids in small letters of the photos that are gone, which stand beside the records."""
    path = path.with_suffix(".gone")
    return set(path.read_text(encoding="utf-8", errors="replace").split()) if path.exists() else set()


_TEXTS = ("id", "description", "alt_description")
_NUMBERS = {"width": 1, "height": 1, "likes": 0, "views": 0, "downloads": 0}  # and their least value
MOST = 10**12  # what is larger is no number of anything here, and no chart could show it
_NESTED = {"urls": ("raw", "full", "regular", "small", "thumb"), "exif": ("make",), "user": ("name",)}


def tidy(records: Sequence[dict]) -> pd.DataFrame:
    """The records as a table, a row each, in which every field that the notebook reads is of the right type or missing.

    Whole numbers and dates may have come as text; dates become UTC, colours small letters. What can't be read counts
    as missing and is told in one printed line. All other fields stay as they came.
    """
    import pandas as pd

    columns = dict.fromkeys([*_TEXTS, "created_at", "color", *_NUMBERS, *_NESTED])
    data = pd.DataFrame([columns | record for record in records], columns=None if records else columns, dtype=object)
    read = pd.DataFrame(index=data.index)
    texts = data.map(_text)
    for name in _TEXTS:
        read[name] = texts[name]
    dates = pd.to_datetime(texts["created_at"], format="ISO8601", utc=True, errors="coerce")
    read["created_at"] = dates.where(dates.dt.year.between(1971, 2199))
    read["color"] = texts["color"].str.lower().where(texts["color"].str.fullmatch("#[0-9a-fA-F]{6}").eq(True))
    for name, least in _NUMBERS.items():
        number = pd.to_numeric(data[name].map(str), errors="coerce").astype(float)
        number = number.where(number.between(least, MOST) & (number % 1 == 0))
        read[name] = number if number.hasnans else number.astype(int)
    for name, fields in _NESTED.items():
        read[name] = [_texts_in(value, fields) for value in data[name]]
    unread = {name: sum(old is not None for old in data.loc[read[name].isna(), name]) for name in read}
    for parent, fields in _NESTED.items():
        for name in fields:
            pairs = [(old, new) for old, new in zip(data[parent], read[parent], strict=True) if new is not None]
            unread[name] = sum(new[name] is None and old.get(name) is not None for old, new in pairs)
    if told := ", ".join(f"{name} ({count:,})" for name, count in unread.items() if count):
        print(f"Values that make no sense and count as missing: {told}.")
    data[list(read)] = read
    return data.infer_objects()


def _text(value: object) -> str | None:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None  # half a surrogate pair


def _texts_in(value: object, fields: Sequence[str]) -> dict | None:
    return value | {name: _text(value.get(name)) for name in fields} if isinstance(value, dict) else None


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
            found = {record["id"]: record for record in page["photos"] if is_id(record.get("id"))}
            if page["source"] == slug and line.endswith("\n"):
                whole.append(line)
                for photo_id, record in found.items():
                    records.setdefault(photo_id.lower(), record)
    if len(whole) < len(lines):
        print(f"Lines of {path.name} that were cut off or of another source, left out: {len(lines) - len(whole)}.")
        write(path, "".join(whole).encode())
    return records


def _wait_for_quota(hour: float) -> None:
    """Sleep until the quota's next hour begins: people report the reset at the top of the hour."""
    seconds = hour - time.time() % hour + min(5, hour / 10)
    with progress_line(round(seconds), "Waiting for the next hour's quota", unit="s") as line:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(1, left))
            line.update(min(line.total, round(seconds - left)) - line.n)
