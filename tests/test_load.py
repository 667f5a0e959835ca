"""Many photos: the notebook's process takes hardly more memory than for few. The benchmark `load` measures 25,000."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from conftest import Host, jpeg
from PIL import Image

from benchmarks import load
from helpers import Photo

FEW, MANY = 500, 3000


@pytest.mark.skipif(sys.platform == "win32", reason="two measurements of memory are compared on Unix only")
def test_the_memory_of_the_parent_does_not_grow_with_the_photos(
    host: Host, tmp_path: Path, record_property: Callable
) -> None:
    body = jpeg(Image.effect_noise((120, 120), 90).convert("RGB"), quality=95)
    assert (MANY - FEW) * len(body) > 20_000_000  # if the bodies were kept, it would show
    host.reply = lambda: (200, "image/jpeg", body)
    most = {}
    for count in (FEW, MANY):
        folder = tmp_path / str(count)
        photos = [Photo(f"photo-{number}", f"{host.address}/{number}") for number in range(count)]
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            most[count] = fresh.submit(load.both_stages, photos, folder).result(120)["MB"]
        assert len(list((folder / "thumbnails").iterdir())) == count
    record_property(f"{MANY:,} photos instead of {FEW}", 1)
    assert most[MANY] < 1.2 * most[FEW], most
