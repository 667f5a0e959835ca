"""The Unsplash Lite dataset, a file: rows of its table of photos as records in the API's form."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterable
from pathlib import Path

from kit.errors import SourceError
from kit.files import plain
from kit.items import is_id

# field of a record -> column of the table (https://github.com/unsplash/datasets/blob/master/DOCS.md)
_COLUMNS = {
    "id": "photo_id", "created_at": "photo_submitted_at", "width": "photo_width", "height": "photo_height",
    "downloads": "stats_downloads", "views": "stats_views",
    "description": "photo_description", "alt_description": "ai_description",
}  # fmt: skip
# size -> what the API puts behind an image address for it
_SMALLER = "crop=entropy&cs=tinysrgb&fit=max&fm=jpg&q=80&w="
_SIZES = {
    "full": "crop=entropy&cs=srgb&fm=jpg&q=85",
    "regular": f"{_SMALLER}1080", "small": f"{_SMALLER}400", "thumb": f"{_SMALLER}200",
}  # fmt: skip


def read_dataset(path: Path, count: int, hosts: Iterable[str], gone: Container[str] = ()) -> list[dict]:
    """Metadata of the first `count` different photos of the dataset.

    Rows without a usable id or image address are left out and told in one printed line. Numbers and dates stay text,
    which `tidy` reads; likes and colour are not in the table.

    Args:
        path: the dataset's photos.tsv.
        hosts: scheme and host of image addresses that count as usable.
        gone: ids in small letters of photos to leave out.

    Raises:
        SourceError: the file is another one, can't be read or has fewer photos; the text says what to do.
    """
    records: dict[str, dict] = {}
    bad, roots = 0, tuple(f"{host}/" for host in hosts)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            # In pieces: the only line of another file might be as large as the file.
            rows = csv.DictReader(iter(lambda: file.readline(1_000_000), ""), delimiter="\t")
            if not {"photo_id", "photo_image_url"} <= set(rows.fieldnames or ()):
                raise ValueError
            while len(records) < count and (row := next(rows, None)):
                if not is_id(row["photo_id"]) or not (row["photo_image_url"] or "").startswith(roots):
                    bad += 1
                elif row["photo_id"].lower() not in gone:
                    records.setdefault(row["photo_id"].lower(), _record(row))
    except (OSError, ValueError, csv.Error) as problem:
        why = plain(problem) if isinstance(problem, OSError) else "it is damaged, or another file"
        raise SourceError(
            f"{path.name} can't be read as the table of photos of the Unsplash dataset: {why}. Unpack the dataset "
            "once more, and let `dataset` in config.ini name its photos.tsv."
        ) from None
    if bad:
        print(f"Rows of {path.name} without a usable id or image address, left out: {bad:,}.")
    if len(records) < count:
        raise SourceError(f"The dataset in {path.name} has no more than {len(records):,} different photos to offer.")
    return list(records.values())


def _record(row: dict[str, str]) -> dict:
    """The row in the form of the API; what is empty or has no column is None."""
    url = row["photo_image_url"]
    joint = "&" if "?" in url else "?"
    names = (row.get("photographer_first_name"), row.get("photographer_last_name"))
    return {field: row.get(column) or None for field, column in _COLUMNS.items()} | {
        "user": {"name": " ".join(filter(None, names)) or None},
        "exif": {"make": row.get("exif_camera_make") or None},
        "urls": {"raw": url} | {size: f"{url}{joint}{query}" for size, query in _SIZES.items()},
    }
