"""The metadata of the practice server: form of a record, repeatability, believable distributions."""

from __future__ import annotations

import functools
import json
import re
from datetime import datetime
from random import Random
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import ImageOps

from practice.catalogue import Catalogue
from practice.catalogue.exif import SCENES
from practice.scenes import describe, draw

API, IMAGES = "http://127.0.0.1:8001", "http://127.0.0.1:8002"
ONLY_FULL = {"exif", "location", "views", "downloads"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(colours={index: f"#{index:06x}" for index in range(0, 1500, 2)})


@pytest.fixture(scope="module")
def records(catalogue: Catalogue) -> list[dict]:
    return [catalogue.record(entry, API, IMAGES) for entry in catalogue.entries]


def share(records: list[dict], path: str, value: object = None) -> float:
    """Percent of the records in which the field at `path` ("exif.make") has this value."""
    fields = (functools.reduce(dict.__getitem__, path.split("."), record) for record in records)
    return 100 * sum(field == value for field in fields) / len(records)


# --- the form of a record -------------------------------------------------------------------------

TEXT, PERHAPS = str, str | None
NUMBER = int | float | None
FORM = {
    "id": TEXT, "slug": TEXT,
    "alternative_slugs": dict.fromkeys(("en", "es", "ja", "fr", "it", "ko", "de", "pt", "id"), TEXT),
    "created_at": TEXT, "updated_at": TEXT, "promoted_at": PERHAPS, "width": int, "height": int, "color": PERHAPS,
    "blur_hash": PERHAPS, "description": PERHAPS, "alt_description": PERHAPS, "breadcrumbs": list,
    "urls": dict.fromkeys(("raw", "full", "regular", "small", "thumb", "small_s3"), TEXT),
    "links": dict.fromkeys(("self", "html", "download", "download_location"), TEXT),
    "likes": int, "liked_by_user": bool, "current_user_collections": list, "sponsorship": type(None),
    "topic_submissions": dict, "asset_type": TEXT,
    "user": {
        "id": TEXT, "username": TEXT, "name": TEXT, "first_name": TEXT, "last_name": PERHAPS, "portfolio_url": PERHAPS,
        "bio": PERHAPS, "location": PERHAPS, "instagram_username": PERHAPS, "twitter_username": PERHAPS,
        "links": dict.fromkeys(("self", "html", "photos", "likes", "portfolio"), TEXT),
        "profile_image": dict.fromkeys(("small", "medium", "large"), TEXT),
        "total_likes": int, "total_photos": int, "total_collections": int, "accepted_tos": bool, "for_hire": bool,
        "social": dict.fromkeys(("instagram_username", "portfolio_url", "twitter_username", "paypal_email"), PERHAPS),
    },
    "exif": {
        "make": PERHAPS, "model": PERHAPS, "name": PERHAPS, "exposure_time": PERHAPS, "aperture": PERHAPS,
        "focal_length": PERHAPS, "iso": int | None,
    },
    "location": {
        "name": PERHAPS, "city": PERHAPS, "country": PERHAPS, "position": {"latitude": NUMBER, "longitude": NUMBER},
    },
    "views": int, "downloads": int,
}  # fmt: skip


def misfits(value: object, form: object, name: str) -> list[str]:
    """Where `value` differs from the form: other keys, or a value of another type."""
    if not isinstance(form, dict):
        fits = isinstance(value, form) and (form is bool or not isinstance(value, bool))
        return [] if fits else [f"{name} is {value!r}"]
    if not isinstance(value, dict) or set(value) != set(form):
        return [f"{name} has the keys {sorted(value)}"]
    return [misfit for key in form for misfit in misfits(value[key], form[key], f"{name}.{key}")]


def test_records_have_the_documented_form_and_size(records: list[dict]) -> None:
    assert len(FORM) == 26
    assert [misfit for record in records for misfit in misfits(record, FORM, record["id"])] == []
    assert json.loads(json.dumps(records)) == records
    assert 3000 < np.mean([len(json.dumps(record)) for record in records]) < 5000


def test_short_form_leaves_out_four_keys(catalogue: Catalogue, records: list[dict]) -> None:
    for entry, record in zip(catalogue.entries[:50], records, strict=False):
        short = catalogue.record(entry, API, IMAGES, full=False)
        assert short == {key: value for key, value in record.items() if key not in ONLY_FULL}


def test_plain_fields(catalogue: Catalogue, records: list[dict]) -> None:
    for entry, record in zip(catalogue.entries, records, strict=True):
        assert (record["id"], record["width"], record["height"]) == (entry.id, entry.width, entry.height)
        assert all(slug.endswith(entry.id) for slug in (record["slug"], *record["alternative_slugs"].values()))
        assert 0 <= record["downloads"] <= record["views"] and record["likes"] >= 0
        assert record["alt_description"] in (None, describe(entry.seed).description)  # what is drawn
        for text in (record["description"], record["alt_description"], record["user"]["bio"]):
            assert text is None or (text.strip() and "{" not in text)
        dates = [datetime.fromisoformat(record[key] or record["created_at"])
                 for key in ("created_at", "promoted_at", "updated_at")]  # fmt: skip
        assert all(date.tzinfo for date in dates) and dates == sorted(dates)
        assert dates[0].year >= 2016 and dates[2].isoformat() < "2026-11"
    assert 10 < np.mean([100 * (record["created_at"][-1] == "Z") for record in records]) < 90  # the others: an offset


def test_colour_is_the_measured_one_or_null(records: list[dict]) -> None:
    assert records[10]["color"] == "#00000a"
    assert records[11]["color"] is None


def test_every_address_leads_to_its_photo(catalogue: Catalogue, records: list[dict]) -> None:
    for entry, record in zip(catalogue.entries, records, strict=True):
        assert list(record["urls"]) == ["raw", "full", "regular", "small", "thumb", "small_s3"]
        for address in record["urls"].values():
            assert address.startswith(f"{IMAGES}/{entry.image}?")
            assert catalogue.find_image(urlsplit(address).path.removeprefix("/")) is entry
        links = record["links"]
        assert links["self"] == f"{API}/photos/{entry.id}"
        assert links["download_location"].startswith(f"{API}/photos/{entry.id}/download?ixid=")
        assert links["html"] == f"https://unsplash.com/photos/{record['slug']}"


def test_users_and_cameras(records: list[dict]) -> None:
    by_id = {record["user"]["id"]: record["user"] for record in records}
    assert len({user["username"] for user in by_id.values()}) == len(by_id)
    assert any(not user["name"].isascii() for user in by_id.values())
    for record in records:
        user, exif = record["user"], record["exif"]
        assert user == by_id[user["id"]]
        assert re.fullmatch(r"[a-z0-9_]+", user["username"])
        assert user["name"] == " ".join(filter(None, (user["first_name"], user["last_name"])))
        assert exif["name"] == (f"{exif['make']}, {exif['model'].strip()}" if exif["make"] else None)
        assert exif["iso"] is None or 50 <= exif["iso"] <= 12_800


# --- the same again -------------------------------------------------------------------------------


def test_a_small_catalogue_begins_a_larger_one_of_the_same_seed(catalogue: Catalogue, records: list[dict]) -> None:
    small = Catalogue(60, colours=catalogue.colours)
    assert small.entries == catalogue.entries[:60]
    # Backwards: a record must not depend on those asked for before it.
    assert [small.record(entry, API, IMAGES) for entry in reversed(small.entries)] == records[59::-1]


def test_ids_and_images_are_unique() -> None:
    large = Catalogue(6_000)
    assert len(large) == 6_000
    assert [entry.index for entry in large.entries] == list(range(6_000))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{11}", entry.id) for entry in large.entries)
    assert len({entry.id.casefold() for entry in large.entries}) == 6_000
    assert len({entry.image for entry in large.entries}) == 6_000
    assert {"-", "_"} <= {entry.id[0] for entry in large.entries}


def test_ids_that_differ_in_case_alone_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    choices, drawn = Random.choices, iter(["aAAAAAAAAAA", "AaAAAAAAAAA", "BBBBBBBBBBB"])
    monkeypatch.setattr(Random, "choices", lambda self, *given, k=1, **options: (  # an id has 11 letters
        next(drawn) if k == 11 else choices(self, *given, k=k, **options)
    ))  # fmt: skip
    assert [entry.id for entry in Catalogue(2).entries] == ["aAAAAAAAAAA", "BBBBBBBBBBB"]


# --- believable figures: 162 real records, with generous bands ------------------------------------


@pytest.mark.parametrize("key, percentiles, tolerance", [
    ("width", (2340, 3508, 4016, 5192, 7008), 0.2),
    ("height", (2816, 3677, 4800, 6000, 7307), 0.2),
    ("likes", (13, 34, 54, 78, 144), 0.25),
    ("views", (67.6e3, 221e3, 339e3, 469e3, 993e3), 0.4),
    ("downloads", (427, 1952, 2925, 4993, 8521), 0.4),
])  # fmt: skip
def test_percentiles(records: list[dict], key: str, percentiles: tuple[float, ...], tolerance: float) -> None:
    measured = np.percentile([record[key] for record in records], (5, 25, 50, 75, 95))
    assert measured == pytest.approx(percentiles, rel=tolerance)


@pytest.mark.parametrize("path, value, percent, points", [
    ("description", None, 69, 5), ("alt_description", None, 0.7, 0.7), ("location.country", None, 64, 5),
    ("location.position.latitude", 0.0, 50, 5), ("exif.make", None, 28, 4), ("exif.make", "Canon", 22, 4),
    ("views", 0, 5, 3),  # premium
])  # fmt: skip
def test_nulls_and_frequent_values(
    records: list[dict], path: str, value: object, percent: float, points: float
) -> None:
    assert share(records, path, value) == pytest.approx(percent, abs=points)


def test_orientations(catalogue: Catalogue) -> None:
    ratios = [entry.width / entry.height for entry in catalogue.entries]
    assert 100 * np.mean([ratio < 1 for ratio in ratios]) == pytest.approx(66, abs=3)  # portrait
    assert 0 < 100 * np.mean([ratio == 1 for ratio in ratios]) < 2
    assert not [ratio for ratio in ratios if ratio != 1 and 0.96 < ratio < 1.04]


def test_another_seed_gives_the_same_pictures_with_other_ids_and_other_metadata() -> None:
    common, own = Catalogue(200), Catalogue(200, "s123")
    pictures = [[(e.seed, e.width, e.height) for e in one.entries] for one in (common, own)]
    assert pictures[0] == pictures[1]
    assert not {e.id for e in common.entries} & {e.id for e in own.entries}
    both = [[one.record(entry, API, IMAGES) for entry in one.entries] for one in (common, own)]
    for field in ("likes", "downloads", "created_at"):
        assert sum(a[field] == b[field] for a, b in zip(*both, strict=True)) < 40
    assert [e.id for e in Catalogue(200, "s123").entries] == [e.id for e in own.entries]
    assert [e.id for e in Catalogue(200, "s124").entries] != [e.id for e in own.entries]


def test_a_scene_is_photographed_again_and_no_photograph_comes_twice(catalogue: Catalogue) -> None:
    first, again = catalogue.entries[3], catalogue.entries[3 + SCENES]
    assert (first.seed, first.width, first.height) == (again.seed, again.width, again.height)
    assert len({entry.seed for entry in catalogue.entries}) == SCENES
    alone = draw(first.seed, 270, 180, take=1).tobytes()
    draw(first.seed + 1, 270, 180)
    takes = [draw(first.seed, 270, 180, take).tobytes() for take in range(3)]
    assert takes[1] == alone  # whatever was drawn before
    assert len({*takes, ImageOps.mirror(draw(first.seed, 270, 180)).tobytes()}) == 4
