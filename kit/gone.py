"""Photos whose host knows them no more: told once, remembered, and replaced, so that as many come as were asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from kit.display import say
from kit.errors import QuotaReached, SourceError
from kit.files import move, on_disk
from kit.items import Photo
from kit.metadata import collect_photos, remember_gone
from kit.runs import Run, timed_run
from kit.settings import Settings
from kit.source import Source


def replace_gone(
    source: Source, settings: Settings, function: Callable, run: Run, photos: Sequence[Photo]
) -> tuple[Run, list[Photo]]:
    """Replace the photos that were gone (HTTP status 404 or 410) in a timed run of `function(photos, folder)`.

    Further records are taken, or asked for if the quota lets, and the function goes on with them. The next call of
    collect_photos leaves out what is gone. If more than half of a run is gone, the addresses are wrong rather than the
    photos gone, and nothing is replaced.

    Returns:
        The whole as one run, and all photos that it had to do. They include those that are gone, so that another run of
        the same list does the same work.
    """

    def going_on(photos: Sequence[Photo], folder: Path) -> None:
        function(photos, folder)

    going_on.__name__ = f"{function.__name__}_more"  # another folder
    photos, last = list(photos), run
    while last.gone and 2 * len(run.gone) <= len(run.items):
        remember_gone(source, last.gone)
        try:
            records = collect_photos(source, settings.photos)
        except (QuotaReached, SourceError) as problem:
            say(f"{len(run.gone):,} photos are gone, and not all could be replaced. {problem}")
            break
        known = {photo.id for photo in photos}
        more = [photo for photo in source.photos(records, settings.quality) if photo.id not in known]
        if not more:
            break
        last = timed_run(going_on, more)
        run, photos = _joined(run, last), photos + more
    return run, photos


def _joined(run: Run, more: Run) -> Run:
    """Two runs of one function as one, as if the second had begun when the first one ended; its files move over.

    Raises:
        FileProblem: the files can't be moved.
    """
    later = run.started + run.wall - more.started
    with on_disk("The run"):
        for name in more.files:
            move(more.folder / name, run.folder / name)
    more.discard()
    shifted = [
        replace(
            outcome,
            started=outcome.started + later,
            finished=outcome.finished + later,
            path=outcome.path and os.path.join(run.folder, os.path.basename(outcome.path)),
        )
        for outcome in more.outcomes
    ]
    return replace(
        run,
        items=run.items + more.items,
        wall=run.wall + more.wall,
        others=None if run.others is None or more.others is None else run.others + more.others,
        outcomes=(*run.outcomes, *shifted),
        files=run.files | more.files,
    )
