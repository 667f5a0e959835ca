"""The door of this project: the functions that work on one photo, and by name nearly all that the notebook calls.

A worker process that starts by `spawn` imports this file, so nothing heavy (pandas, matplotlib, IPython) is imported
here, and requests only where something is downloaded. What stands behind the other names is in kit/, a room for each
purpose.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

# A spawned worker looks for this file along the notebook's sys.path, where "" means the folder in which the kernel was
# started. That is another folder than this one after a %cd, which Colab needs.
if (_here := os.path.dirname(os.path.abspath(__file__))) not in sys.path:
    sys.path.append(_here)

from kit.cluster import DISTRIBUTED, cluster
from kit.display import progress, quiet, say, status_box
from kit.errors import AssignmentError, SourceError
from kit.files import CACHE, plain, write
from kit.gone import replace_gone
from kit.items import Outcome, Photo, Status, failed, is_id
from kit.journal import recorded
from kit.machine import environment, gil, usable_cpus
from kit.many import as_done, pipeline
from kit.metadata import collect_photos, tidy
from kit.pixels import FORMATS, IMAGE_PROBLEMS, JPEG_QUALITY, not_a_jpeg, shrink, why
from kit.predictions import predict, predicted
from kit.runs import Run, compare, keep, problems, sweep, timed_pipeline, timed_run
from kit.settings import Secret, Settings, load_settings
from kit.source import PER_PAGE, Source, connect
from kit.transport import NoAnswer, fetch

__all__ = [
    # one photo, the same for every kind of executor
    "download_photo", "make_thumbnail", "thumbnail_bytes",
    # settings and metadata
    "load_settings", "environment", "usable_cpus", "gil", "connect", "collect_photos", "replace_gone", "tidy",
    # many photos, timed and compared
    "timed_run", "timed_pipeline", "problems", "compare", "sweep", "keep", "as_done", "pipeline", "cluster",
    # what a cell shows
    "status_box", "predict", "predicted", "progress", "quiet", "say",
    # what these take and return
    "Settings", "Secret", "Source", "Photo", "Outcome", "Status", "Run",
    "AssignmentError", "SourceError", "CACHE", "PER_PAGE", "DISTRIBUTED",
]  # fmt: skip


@recorded
def download_photo(photo: Photo, folder: Path | str) -> Outcome:
    """Download one photo into `folder` as `<id>.jpg`. The file appears only when it is complete.

    A photo that is there already is skipped. Trouble that may pass (time-outs, status 5xx, a connection that breaks) is
    tried again, at most TRIES times in all, an answer that is not a whole JPEG at most BAD_BODY_TRIES times (both in
    kit/transport.py). After that the Outcome says what was wrong. A photo that its host knows no more is GONE. Nothing
    expected raises.
    """
    if not is_id(photo.id):
        return failed(photo.id, "the id can't be a file name")
    target = os.path.join(folder, f"{photo.id}.jpg")
    if os.path.exists(target):
        return Outcome(photo.id, Status.SKIPPED, path=target, bytes=os.path.getsize(target))
    try:
        answer = fetch(photo.url, wrong=not_a_jpeg)
        if answer.status in (404, 410):
            return Outcome(photo.id, Status.GONE, waited=answer.waited, tries=answer.tries)
        if answer.status != 200:
            return failed(photo.id, f"status {answer.status}", answer.tries, answer.waited)
        size = write(target, answer.body)
    except NoAnswer as problem:
        return failed(photo.id, str(problem), problem.tries, problem.waited)
    except OSError as problem:  # the disk: trying again would not help
        return failed(photo.id, plain(problem))
    return Outcome(photo.id, Status.DONE, size, target, waited=answer.waited, tries=answer.tries)


@recorded
def make_thumbnail(path: Path | str, folder: Path | str, size: int) -> Outcome:
    """Write a thumbnail of one image file into `folder`, as a JPEG with the same name.

    The longer side gets `size` pixels; a smaller image is not enlarged. The camera's orientation (EXIF) is
    applied, colours are turned into sRGB, transparency becomes white. A file that is no image gives a failed
    Outcome. Pillow's limit against decompression bombs stays on.
    """
    path = os.fspath(path)
    target = os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + ".jpg")
    try:
        if os.path.exists(target):
            if os.path.samefile(target, path):
                return failed(path, "the thumbnail would overwrite its original")
            return Outcome(path, Status.SKIPPED, path=target, bytes=os.path.getsize(target))
        with Image.open(path, formats=FORMATS) as image:
            small = shrink(image, size)
        written = write(target, lambda file: small.save(file, "JPEG", quality=JPEG_QUALITY))
    except IMAGE_PROBLEMS as problem:
        return failed(path, why(problem))
    return Outcome(path, Status.DONE, written, target)


def thumbnail_bytes(name: str, body: bytes, size: int) -> tuple[Outcome, bytes]:
    """make_thumbnail for a worker that shares no disk with the sender: an image's bytes in, a thumbnail's bytes out.

    Args:
        name: what the Outcome calls the item.

    Returns:
        The Outcome, and the same bytes that make_thumbnail writes, or none if it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        original = Path(folder, "original")
        write(original, body)
        outcome = make_thumbnail(original, folder, size)
        thumbnail = Path(outcome.path).read_bytes() if outcome.status is Status.DONE else b""
    return replace(outcome, item=name, path=""), thumbnail
