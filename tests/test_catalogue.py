"""The metadata of the practice server: form of a record, repeatability, believable distributions."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from random import Random
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

from practice.catalogue import Catalogue, Entry

API, IMAGES = "http://127.0.0.1:8001", "http://127.0.0.1:8002"
ONLY_FULL = {"exif", "location", "views", "downloads"}
KEYS = {
    "id", "slug", "alternative_slugs", "created_at", "updated_at", "promoted_at", "width", "height", "color",
    "blur_hash", "description", "alt_description", "breadcrumbs", "urls", "links", "likes", "liked_by_user",
    "current_user_collections", "sponsorship", "topic_submissions", "asset_type", "user",
} | ONLY_FULL  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(colours={index: f"#{index:06x}" for index in range(0, 1500, 2)})


@pytest.fixture(scope="module")
def records(catalogue: Catalogue) -> list[dict]:
    return [catalogue.record(entry, API, IMAGES) for entry in catalogue.entries]


def share(records: list[dict], *path: str, value: object = None) -> float:
    """Percent of the records in which the field at `path` has this value."""

    def at(record: dict) -> object:
        for key in path:
            record = record[key]
        return record

    return 100 * sum(at(record) == value for record in records) / len(records)


# --- the form of a record -------------------------------------------------------------------------


def test_keys_and_json(records: list[dict]) -> None:
    assert len(KEYS) == 26
    assert all(set(record) == KEYS for record in records)
    assert json.loads(json.dumps(records)) == records
    assert 3000 < np.mean([len(json.dumps(record)) for record in records]) < 5000


def test_short_form_leaves_out_four_keys(catalogue: Catalogue, records: list[dict]) -> None:
    for entry, record in zip(catalogue.entries[:50], records, strict=False):
        short = catalogue.record(entry, API, IMAGES, full=False)
        assert short == {key: value for key, value in record.items() if key not in ONLY_FULL}


def test_plain_fields(catalogue: Catalogue, records: list[dict]) -> None:
    for entry, record in zip(catalogue.entries, records, strict=True):
        assert (record["id"], record["width"], record["height"]) == (entry.id, entry.width, entry.height)
        assert re.fullmatch(r"[a-z0-9-]*" + re.escape(entry.id), record["slug"])
        assert set(record["alternative_slugs"]) == {"en", "es", "ja", "fr", "it", "ko", "de", "pt", "id"}
        assert all(slug.endswith(entry.id) for slug in record["alternative_slugs"].values())
        for key in ("likes", "views", "downloads"):
            assert type(record[key]) is int and record[key] >= 0
        assert record["downloads"] <= record["views"]
        assert record["blur_hash"] is None or len(record["blur_hash"]) == 28
        for key in ("description", "alt_description"):
            assert record[key] is None or (isinstance(record[key], str) and record[key].strip())
            assert "{" not in (record[key] or "")
        assert record["asset_type"] == "photo" and record["liked_by_user"] is False
        assert record["breadcrumbs"] == record["current_user_collections"] == []
        assert record["sponsorship"] is None
        for topic in record["topic_submissions"].values():
            assert ("approved_on" in topic) == (topic["status"] == "approved")


def test_colour_is_the_measured_one_or_null(records: list[dict]) -> None:
    assert records[10]["color"] == "#00000a"
    assert records[11]["color"] is None


def test_dates(records: list[dict]) -> None:
    for record in records:
        dates = {key: datetime.fromisoformat(record[key].replace("Z", "+00:00"))
                 for key in ("created_at", "updated_at", "promoted_at") if record[key]}  # fmt: skip
        assert all(date.tzinfo for date in dates.values())
        assert dates["created_at"] < dates["updated_at"]
        assert dates["created_at"] <= dates.get("promoted_at", dates["created_at"]) <= dates["updated_at"]
        assert dates["created_at"].year >= 2016 and dates["updated_at"].isoformat() < "2026-11"
    styles = Counter(record["created_at"][-1] == "Z" for record in records)
    assert styles[True] > styles[False] > 100
    assert share(records, "promoted_at") > 20
    assert np.mean([record["created_at"] > "2022" for record in records]) > 0.6


@pytest.mark.parametrize("key, expected", [
    ("raw", ["ixid", "ixlib"]),
    ("full", ["crop=entropy", "cs=srgb", "fm=jpg", "ixid", "ixlib", "q=85"]),
    ("regular", ["crop=entropy", "cs=tinysrgb", "fit=max", "fm=jpg", "ixid", "ixlib", "q=80", "w=1080"]),
    ("small", ["crop=entropy", "cs=tinysrgb", "fit=max", "fm=jpg", "ixid", "ixlib", "q=80", "w=400"]),
    ("thumb", ["crop=entropy", "cs=tinysrgb", "fit=max", "fm=jpg", "ixid", "ixlib", "q=80", "w=200"]),
])  # fmt: skip
def test_image_addresses(catalogue: Catalogue, records: list[dict], key: str, expected: list[str]) -> None:
    for entry, record in zip(catalogue.entries[:100], records, strict=False):
        address = record["urls"][key]
        assert address.startswith(f"{IMAGES}/{entry.image}?")
        query = parse_qsl(urlsplit(address).query, strict_parsing=True)
        assert [name if name in ("ixid", "ixlib") else f"{name}={value}" for name, value in query] == expected
        assert len(dict(query)["ixid"]) > 20


def test_every_address_leads_to_its_photo(catalogue: Catalogue, records: list[dict]) -> None:
    for entry, record in zip(catalogue.entries, records, strict=True):
        assert list(record["urls"]) == ["raw", "full", "regular", "small", "thumb", "small_s3"]
        for address in record["urls"].values():
            assert catalogue.find_image(urlsplit(address).path.removeprefix("/")) is entry
        links = record["links"]
        assert links["self"] == f"{API}/photos/{entry.id}"
        assert links["download_location"].startswith(f"{API}/photos/{entry.id}/download?ixid=")
        assert links["html"] == f"https://unsplash.com/photos/{record['slug']}"
        assert set(links) == {"self", "html", "download", "download_location"}


def test_users(records: list[dict]) -> None:
    by_id = {record["user"]["id"]: record["user"] for record in records}
    assert all(record["user"] == by_id[record["user"]["id"]] for record in records)
    assert len({user["username"] for user in by_id.values()}) == len(by_id)
    for user in by_id.values():
        assert re.fullmatch(r"[a-z0-9_]+", user["username"])
        assert user["name"] == " ".join(filter(None, (user["first_name"], user["last_name"])))
        assert user["links"]["self"] == f"{API}/users/{user['username']}"
        assert user["links"]["html"] == f"https://unsplash.com/@{user['username']}"
        assert set(user["profile_image"]) == {"small", "medium", "large"}
        assert all(address.startswith(f"{IMAGES}/profile-") for address in user["profile_image"].values())
        assert all(type(user[key]) is int for key in ("total_likes", "total_photos", "total_collections"))
        assert user["social"]["instagram_username"] == user["instagram_username"]
        assert "{" not in (user["bio"] or "")
    assert any(not user["name"].isascii() for user in by_id.values())


def test_exif(records: list[dict]) -> None:
    for record in records:
        exif = record["exif"]
        assert set(exif) == {"make", "model", "name", "exposure_time", "aperture", "focal_length", "iso"}
        if exif["make"]:
            assert exif["name"] == f"{exif['make']}, {exif['model'].strip()}"
        else:
            assert exif["model"] is None and exif["name"] is None
        if exif["exposure_time"]:
            assert re.fullmatch(r"1/\d{1,4}|\d+(\.\d)?", exif["exposure_time"])
        assert exif["aperture"] is None or 1 <= float(exif["aperture"]) <= 22
        assert exif["focal_length"] is None or re.fullmatch(r"\d+\.\d", exif["focal_length"])
        assert exif["iso"] is None or 50 <= exif["iso"] <= 12_800
    stripped = [record for record in records if record["exif"]["make"] is None]
    assert share(stripped, "exif", "exposure_time") > 80


def test_night_scenes_gather_more_light(catalogue: Catalogue) -> None:
    """With the same camera, the exposure of a night scene takes in far more light than that of a day."""
    from practice.catalogue.exif import CAMERAS, exif_of

    def light(night: bool) -> float:
        values = [exif_of(Random(index), CAMERAS[0], night) for index in range(200)]
        return float(np.median([
            float(np.prod([float(part) ** power for part, power in
                           zip(value["exposure_time"].split("/"), (1, -1), strict=False)])) * value["iso"]
            for value in values if value["iso"]
        ]))  # fmt: skip

    assert light(night=True) > 30 * light(night=False)


# --- the same again -------------------------------------------------------------------------------


def test_a_small_catalogue_begins_a_larger_one(catalogue: Catalogue, records: list[dict]) -> None:
    small = Catalogue(60, colours=catalogue.colours)
    assert small.entries == catalogue.entries[:60]
    # Backwards: a record must not depend on those asked for before it.
    assert [small.record(entry, API, IMAGES) for entry in reversed(small.entries)] == records[59::-1]


def test_another_seed_gives_other_photos(catalogue: Catalogue) -> None:
    other = Catalogue(60, seed=7)
    assert not {entry.id for entry in other.entries} & {entry.id for entry in catalogue.entries}


def test_colours_change_nothing_else(catalogue: Catalogue, records: list[dict]) -> None:
    plain = Catalogue(60)
    for entry, record in zip(plain.entries, records, strict=False):
        assert (
            plain.record(entry, API, IMAGES)
            | {
                "color": record["color"],
                "blur_hash": record["blur_hash"],
            }
            == record
        )


def test_a_changed_record_changes_nothing(catalogue: Catalogue, records: list[dict]) -> None:
    entry = catalogue.entries[5]
    catalogue.record(entry, API, IMAGES)["user"]["links"].clear()
    assert catalogue.record(entry, API, IMAGES) == records[5]


def test_ids_and_images_are_unique() -> None:
    large = Catalogue(6_000)
    assert len(large) == 6_000
    assert [entry.index for entry in large.entries] == list(range(6_000))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{11}", entry.id) for entry in large.entries)
    assert len({entry.id.casefold() for entry in large.entries}) == 6_000
    assert len({entry.image for entry in large.entries}) == 6_000
    assert {"-", "_"} <= {entry.id[0] for entry in large.entries}


def test_ids_that_differ_in_case_alone_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from practice import catalogue as module

    drawn = iter(["AAAAAAAAAAA", "0" * 12, "aaaaaaaaaaa", "BBBBBBBBBBB", "1" * 12])
    monkeypatch.setattr(module, "letters", lambda *_: next(drawn))
    assert [entry.id for entry in Catalogue(2).entries] == ["AAAAAAAAAAA", "BBBBBBBBBBB"]


def test_later_photos_reuse_the_drawn_pictures() -> None:
    reused = Catalogue(25, colours={3: "#123456"}, pictures=10)

    def picture(entry: Entry) -> tuple:
        return entry.seed, entry.width, entry.height, entry.orientation

    assert reused.entries[:10] == Catalogue(10).entries
    assert len({picture(entry) for entry in reused.entries}) == 10
    for entry in reused.entries[10:]:
        assert picture(entry) == picture(reused.entries[entry.index % 10])
    first, again = (reused.record(reused.entries[index], API, IMAGES) for index in (3, 23))
    assert first["color"] == again["color"] == "#123456"
    assert first["id"] != again["id"] and first["urls"]["raw"] != again["urls"]["raw"]
    assert first["exif"]["make"] == again["exif"]["make"]


# --- finding and selecting ------------------------------------------------------------------------


def test_find(catalogue: Catalogue) -> None:
    entry = catalogue.entries[17]
    assert catalogue.find(entry.id) is entry
    assert catalogue.find_image(entry.image) is entry
    assert catalogue.find("no-such-one") is None
    assert catalogue.find(entry.id.swapcase()) is None
    assert catalogue.find_image("photo-1") is None


def test_select_by_orientation(catalogue: Catalogue) -> None:
    assert catalogue.select() == list(catalogue.entries)
    parts = [catalogue.select(orientation=name) for name in ("landscape", "portrait", "squarish")]
    assert sum(map(len, parts)) == len(catalogue)
    assert all(entry.width > entry.height for entry in parts[0])
    assert all(entry.width < entry.height for entry in parts[1])
    assert all(abs(entry.width / entry.height - 1) < 0.05 for entry in parts[2])


def test_select_by_words(catalogue: Catalogue, records: list[dict]) -> None:
    text = next(record["alt_description"] for record in records if record["alt_description"])
    found = catalogue.select(text.upper())
    assert found and len(found) < len(catalogue)
    for word in text.split():
        assert set(found) <= set(catalogue.select(word))
    both = catalogue.select(text, "landscape") + catalogue.select(text, "portrait")
    assert set(both) <= set(found)
    assert {entry.orientation for entry in catalogue.select(text, "portrait")} <= {"portrait"}
    assert catalogue.select(text + " xyzzy") == []


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


def test_long_tails_that_go_together(records: list[dict]) -> None:
    counted = [record for record in records if record["views"]]
    assert 2 <= 100 - 100 * len(counted) / len(records) <= 8  # premium
    assert max(record["views"] for record in counted) > 5e6
    assert max(record["downloads"] for record in counted) > 5e4
    assert max(record["likes"] for record in counted) > 1000
    logs = np.log([[record[key] for record in counted] for key in ("likes", "views", "downloads")])
    correlations = np.corrcoef(logs)[np.triu_indices(3, 1)]
    assert correlations.min() > 0.4 and correlations.max() < 0.95


@pytest.mark.parametrize("path, percent, points", [
    (("description",), 69, 5),
    (("alt_description",), 0.7, 0.7),
    (("location", "name"), 57, 5),
    (("location", "country"), 64, 5),
    (("location", "position", "latitude"), 10, 3),
    (("exif", "make"), 28, 4),
    (("exif", "iso"), 30, 4),
    (("user", "last_name"), 10, 4),
    (("user", "bio"), 21, 5),
])  # fmt: skip
def test_share_of_nulls(records: list[dict], path: tuple[str, ...], percent: float, points: float) -> None:
    assert share(records, *path) == pytest.approx(percent, abs=points)


@pytest.mark.parametrize("make, percent, points", [
    ("Canon", 22, 4), ("SONY", 17, 4), ("FUJIFILM", 12, 3), ("NIKON CORPORATION", 9, 3), ("DJI", 3, 2),
])  # fmt: skip
def test_share_of_makes(records: list[dict], make: str, percent: float, points: float) -> None:
    assert share(records, "exif", "make", value=make) == pytest.approx(percent, abs=points)


def test_orientations(catalogue: Catalogue) -> None:
    counts = Counter(entry.orientation for entry in catalogue.entries)
    assert counts["portrait"] == pytest.approx(0.66 * 1500, abs=45)
    assert counts["landscape"] == pytest.approx(0.33 * 1500, abs=45)
    assert counts["squarish"] == pytest.approx(0.01 * 1500, abs=10)


def test_half_of_the_positions_are_zero(records: list[dict]) -> None:
    assert share(records, "location", "position", "latitude", value=0.0) == pytest.approx(50, abs=5)
    for record in records:
        latitude, longitude = (record["location"]["position"][key] for key in ("latitude", "longitude"))
        assert (latitude is None) == (longitude is None)
        assert latitude is None or (-90 <= latitude <= 90 and -180 <= longitude <= 180)


def test_photographers(records: list[dict]) -> None:
    """143 different ones in 162 real photos: many, and a few frequent ones."""
    names = Counter(record["user"]["id"] for record in records)
    assert 1000 <= len(names) <= 1300
    assert 8 <= names.most_common(1)[0][1] <= 100
    samples = [len({record["user"]["id"] for record in records[start:start + 162]})
               for start in (0, 500, 1000)]  # fmt: skip
    assert np.mean(samples) == pytest.approx(143, abs=10)
