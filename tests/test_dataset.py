"""Photos of the Unsplash Lite dataset: its table gives records, photos and addresses as the API would."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest
from conftest import KEY, ROOT
from standin import IMAGES, PREMIUM, picture, records, stand_in
from test_records import cells, explore  # noqa: F401 - the fixtures

from helpers import Secret, Settings, SourceError, collect_photos, connect, tidy
from kit.metadata import remember_gone

FILE = Path("photos.tsv")
HOST = "https://images.unsplash.com"
ROW = {  # columns as the dataset's documentation names them, in its order, shortened
    "photo_id": "photo-00000", "photo_url": "https://unsplash.com/photos/x", "photo_image_url": f"{HOST}/photo-1",
    "photo_submitted_at": "2020-02-20 17:38:59.64", "photo_featured": "t", "photo_width": "4000",
    "photo_height": "6000", "photo_aspect_ratio": "0.67", "photo_description": 'two\r\nlines, a\ttab and "quotes"',
    "photographer_username": "joe", "photographer_first_name": "Joe", "photographer_last_name": "Exämple",
    "exif_camera_make": "Canon", "exif_iso": "100", "stats_views": "99000", "stats_downloads": "1345",
    "ai_description": "a lake", "blur_hash": "LFC$yHwc8^$yIAS$%M%00KxukYIp",
}  # fmt: skip
ROWS = [ROW | {"photo_id": f"photo-{n:05}"} for n in range(40)]


def written(rows: list[dict], delimiter: str = "\t") -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def collected(content: bytes, count: int) -> list[dict]:
    FILE.write_bytes(content)
    return collect_photos(connect(Settings(dataset=str(FILE))), count)


def test_a_row_becomes_a_record_in_the_form_of_the_api(capsys: pytest.CaptureFixture) -> None:
    (record,) = collected(b"\xef\xbb\xbf" + written(ROWS), 1)
    smaller = f"{HOST}/photo-1?crop=entropy&cs=tinysrgb&fit=max&fm=jpg&q=80&w="
    assert record["urls"] == {
        "raw": f"{HOST}/photo-1", "full": f"{HOST}/photo-1?crop=entropy&cs=srgb&fm=jpg&q=85",
        "regular": f"{smaller}1080", "small": f"{smaller}400", "thumb": f"{smaller}200",
    }  # fmt: skip
    read = tidy([record]).iloc[0]
    assert read["created_at"] == pd.Timestamp("2020-02-20 17:38:59.64", tz="UTC")
    assert [read[name] for name in ("width", "height", "views", "downloads")] == [4000, 6000, 99000, 1345]
    texts = [read[name] for name in ("id", "description", "alt_description")]
    assert texts == ["photo-00000", ROW["photo_description"], "a lake"]
    assert (read["user"], read["exif"]) == ({"name": "Joe Exämple"}, {"make": "Canon"})
    assert read[["likes", "color"]].isna().all()
    assert capsys.readouterr().out == ""


NEEDED = ("photo_id", "photo_image_url")


@pytest.mark.parametrize(("rows", "charts"), [
    (ROWS, 2),  # downloads and aspect ratio: there are no likes and no colours
    ([{name: row[name] for name in NEEDED} for row in ROWS], 0),
    ([dict.fromkeys(ROW, "") | {name: row[name] for name in NEEDED} for row in ROWS], 0),
], ids=["all columns", "two columns", "two columns with values"])  # fmt: skip
def test_the_notebooks_exploratory_cells_run(rows: list[dict], charts: int, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue("explore")(collected(written(rows), 40))
    right = {name for name, step in found.variables["steps"].items() if step.right}
    assert (len(found.bars), right) == (charts, {"bin_edges", "aspect_ratio", "filled"} if charts else set())
    assert found.told.count("the records hold nothing") == 5 - len(right)
    assert "make no sense" not in found.told


def test_a_dataset_comes_before_key_and_practice_server_and_a_folder_is_searched_for_it() -> None:
    Path("lite").mkdir()
    Path("lite", "keywords.tsv000").write_bytes(b"")
    Path("lite", "photos.tsv000").write_bytes(written(ROWS))
    source = connect(Settings(dataset="lite", access_key=Secret(KEY)))
    assert source.describe() == (
        "Photos come from Unsplash; their metadata from the dataset in photos.tsv000, without a key."
    )
    assert (source.server, source.remaining, bool(source.key)) == (None, None, False)
    photos = source.photos(collect_photos(source, 40))
    assert [photo.id for photo in photos] == [row["photo_id"] for row in ROWS]
    assert {photo.url.split("?")[0] for photo in photos} == {f"{HOST}/photo-1"}
    remember_gone(source, ["photo-00001"])
    assert [record["id"] for record in collect_photos(source, 2)] == ["photo-00000", "photo-00002"]


SCRIPT = """
import helpers

settings = helpers.load_settings()
source = helpers.connect(settings)
for photo in source.photos(helpers.collect_photos(source, settings.photos), settings.quality):
    helpers.download_photo(photo, "")
"""


def test_the_photos_come_from_unsplashs_hosts_and_nothing_is_asked_of_the_api(tmp_path: Path) -> None:
    urls = [record["urls"]["raw"] for record in records()[:40]]  # among them premium photos
    FILE.write_bytes(written([row | {"photo_image_url": url} for row, url in zip(ROWS, urls, strict=True)]))
    Path("config.ini").write_text("[unsplash]\ndataset = photos.tsv\nquality = raw\nphotos = 40\n", encoding="utf-8")
    with stand_in(tmp_path) as host:  # it sets an access key, too
        environment = host.environment | {"PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, timeout=120)
    assert [Path(f"{row['photo_id']}.jpg").read_bytes() for row in ROWS] == [picture(n) for n in range(40)]
    assert (host.tunnels, host.leaks) == ({IMAGES: 1, PREMIUM: 1}, [])


BAD = [{"photo_id": name} for name in ("", "../../x", "con", "x" * 65)] + [
    {"photo_image_url": url} for url in ("", f"{HOST}.jpg/", "http://images.unsplash.com/x", "https://example.com/x")
]


def test_bad_rows_are_counted_and_left_out_and_a_photo_comes_once(capsys: pytest.CaptureFixture) -> None:
    plus = ROWS[1] | {"photo_image_url": "https://plus.unsplash.com/premium_photo-2?ixid=M3"}
    twin = ROW | {"photo_id": ROW["photo_id"].upper()}
    rows = [ROW, *(ROW | bad for bad in BAD), twin, plus]
    found = collected(written(rows) + b"photo-00009\n", 2)
    assert [record["id"] for record in found] == ["photo-00000", "photo-00001"]
    assert found[1]["urls"]["thumb"].startswith("https://plus.unsplash.com/premium_photo-2?ixid=M3&crop=")
    told = "Rows of photos.tsv without a usable id or image address, left out: {}.\n"
    assert capsys.readouterr().out == told.format(8)
    with pytest.raises(SourceError, match=r"^The dataset in photos.tsv has no more than 2 different photos to offer."):
        collected(written(rows) + b"photo-00009\n", 3)
    assert capsys.readouterr().out == told.format(9)


OTHER = {
    "empty": b"", "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF", "commas": written(ROWS, ","),
    "another table": b"photo_id\tkeyword\nphoto-00000\tlake\n", "UTF-16": written(ROWS).decode().encode("utf-16"),
    "cut in a letter": written(ROWS) + b"\xc3", "a quote without end": written(ROWS) + b'photo-x\t"' + b"x" * 200_000,
}  # fmt: skip


@pytest.mark.parametrize("name", [*OTHER, "folder", "gone", "huge"])
def test_another_file_is_refused_in_one_sentence(name: str) -> None:
    source = connect(Settings(dataset=str(FILE)))
    if name == "folder":
        FILE.mkdir()
    elif name != "gone":
        FILE.write_bytes(OTHER.get(name, b""))
    if name == "huge":
        with FILE.open("r+b") as file:
            file.truncate(2**28)
    tracemalloc.start()
    try:
        with pytest.raises(SourceError) as caught:
            collect_photos(source, 100)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert text.startswith("photos.tsv can't be read as the table of photos of the Unsplash dataset: ")
    assert "config.ini" in text and str(Path.cwd()) not in text and len(text.splitlines()) == 1
