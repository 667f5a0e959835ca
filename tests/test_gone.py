"""Photos that are gone (HTTP status 404 or 410): told, replaced, remembered, and the same work for every run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import download_serial, download_threads, source_of

import checks
import helpers
import practice
from helpers import Photo, Run, Settings

WANTED = Settings(photos=40)  # of the 60 that the server has


def paths_of(photos: list[Photo]) -> str:
    """A regular expression that fits the addresses of these photos."""
    return "|".join(re.escape(photo.url.split("/")[3].split("?")[0]) for photo in photos)


def serial(source: helpers.Source) -> tuple[list[Photo], Run]:
    photos = source.photos(helpers.collect_photos(source, WANTED.photos))
    return photos, helpers.timed_run(download_serial, photos)


@pytest.mark.parametrize(("number", "status"), [(1, "404"), (4, "410"), (20, "404")])
def test_what_is_gone_is_replaced_and_both_runs_work_on_the_same_list(
    number: int, status: str, source: helpers.Source, server: practice.PracticeServer, capsys: pytest.CaptureFixture
) -> None:
    photos = source.photos(helpers.collect_photos(source, WANTED.photos))
    server.faults({"path": paths_of(photos[:number]), "fault": status})
    run = helpers.timed_run(download_serial, photos)
    run, longer = helpers.replace_gone(source, WANTED, download_serial, run, photos)
    assert longer[:40] == photos and len(longer) == 40 + number
    assert helpers.problems(run) == [] and len(run.done) == len(run.files) == 40
    assert "40 of 40 photos" in run.sentence() and f"{number} more are gone" in run.sentence()
    assert all(run.started <= o.started < o.finished <= run.started + run.wall for o in run.outcomes)
    assert all((run.folder / name).is_file() for name in run.files)

    assert helpers.compare(run, helpers.timed_run(download_threads, longer)) > 0
    assert checks.check(lambda photos, folder, workers: download_threads(photos, folder), run, longer, 32).right

    before = server.stats()["requests"]
    kept = source.photos(helpers.collect_photos(source, WANTED.photos))
    assert len(kept) == 40 and not {photo.id for photo in kept} & run.gone
    assert server.stats()["requests"] == before
    assert helpers.replace_gone(source, WANTED, download_serial, run, longer) == (run, longer)  # the cell ran twice


def test_a_replacement_that_is_gone_is_replaced_too(source: helpers.Source, server: practice.PracticeServer) -> None:
    everything = source.photos(helpers.collect_photos(source, 60))
    photos, further = everything[:40], everything[40:]
    server.faults({"path": paths_of(photos[:4] + further[:4]), "fault": "404"})
    run = helpers.timed_run(download_serial, photos)
    run, longer = helpers.replace_gone(source, WANTED, download_serial, run, photos)
    assert len(run.gone) == 8 and len(run.done) == 40 and len(longer) == 48 and helpers.problems(run) == []


def test_if_most_are_gone_the_addresses_are_wrong(source: helpers.Source, server: practice.PracticeServer) -> None:
    server.faults({"path": "photo-", "fault": "404"})
    photos, run = serial(source)
    assert helpers.replace_gone(source, WANTED, download_serial, run, photos) == (run, photos)
    assert "40 of 40 photos are gone" in " ".join(helpers.problems(run))
    assert source.photos(helpers.collect_photos(source, WANTED.photos)) == photos


def test_without_quota_it_counts(start: Callable[..., practice.PracticeServer], capsys: pytest.CaptureFixture) -> None:
    source = source_of(start(quota=2))
    photos = source.photos(helpers.collect_photos(source, 60))
    source.server.faults({"path": paths_of(photos[:2]), "fault": "404"})
    run = helpers.timed_run(download_serial, photos)
    run, longer = helpers.replace_gone(source, Settings(photos=60), download_serial, run, photos)
    said = " ".join(capsys.readouterr().out.split())
    assert "2 photos are gone, and not all could be replaced" in said and "Run this cell again after" in said
    assert longer == photos and helpers.problems(run) == []
    assert helpers.compare(run, helpers.timed_run(download_threads, longer)) > 0


def test_a_photo_that_vanishes_between_runs_is_told(source: helpers.Source, server: practice.PracticeServer) -> None:
    photos, run = serial(source)
    server.faults({"path": paths_of(photos[:1]), "fault": "404"})
    with pytest.raises(helpers.AssignmentError, match="were gone in the other"):
        helpers.compare(run, helpers.timed_run(download_threads, photos))
    verdict = checks.check(lambda photos, folder, workers: download_threads(photos, folder), run, photos, 32)
    assert verdict.word == "WRONG" and "1 photos that the serial run got are gone now" in str(verdict)


def test_both_stages_do_without_it(source: helpers.Source, server: practice.PracticeServer, tmp_path: Path) -> None:
    photos = source.photos(helpers.collect_photos(source, WANTED.photos))
    server.faults({"path": paths_of(photos[:4]), "fault": "404"})

    def both(photos: list[Photo], images: Path, thumbnails: Path) -> None:
        list(helpers.pipeline(helpers.download_photo, helpers.make_thumbnail, photos, images, thumbnails, 64, 4, 2))

    download, resize = helpers.timed_pipeline(both, photos)
    assert helpers.problems(download) == helpers.problems(resize) == [] and len(resize.done) == 36
