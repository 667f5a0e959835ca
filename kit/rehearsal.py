"""What a one-item function does in a rehearsal: no work, but it is held until others are in work, or have ended.

The check of an exercise sets a stage, a folder inside of a run's journal, and gives the cues (checks/conductor.py). So
it is proved on a machine of any speed whether a function waits for its work, and does it side by side.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import time
from pathlib import Path

from kit.items import Outcome, Status, failed

STAGE = "orders"  # folder inside of the journal: it is there if workers are to rehearse, or to stop
SCRIPT, PICTURE = "script.json", "picture.jpg"  # what is rehearsed; what stands for a finished file
BEGUN, RELEASED = "begun", "released"  # the item that is held was begun; it may go on
ALONE = "alone"  # nobody else will come: items wait for others no longer; with a worker's name, its item does not
IN_WORK = "in-work-"  # a file for each worker: empty while it is in work, then the time at which it ended
NOT_GIVEN = "not given what it should be"


def rehearse(stage: str, item: str, worker: str, folder: Path | str, arguments: list[object]) -> Outcome:
    """Stand in for the work on one item; returns what the real function would return, if all goes well.

    Args:
        stage: folder with the script and the cues.
        item: what the Outcome calls it: a photo's id, or the path of an image file.
        worker: who does it.
        arguments: what the function was given besides item and folder.
    """
    name = f"{Path(item).stem}.jpg"
    target = os.path.join(folder, name)
    if os.path.exists(target):
        return Outcome(item, Status.SKIPPED, path=target)
    script = _script(stage)
    mine, began = Path(stage, IN_WORK + worker), time.perf_counter()
    mine.write_bytes(b"")
    try:
        if name == script["held"]:
            Path(stage, BEGUN).touch()
            while not os.path.exists(os.path.join(stage, RELEASED)):
                time.sleep(0.005)
        elif script["together"]:
            cues = [os.path.join(stage, ALONE), os.path.join(stage, ALONE + worker)]
            while not _somebody(stage, mine.name, began) and not any(map(os.path.exists, cues)):
                time.sleep(0.002)
            with contextlib.suppress(OSError):  # on Windows, it may be in use
                os.unlink(cues[1])
    finally:
        mine.write_text(repr(time.perf_counter()), encoding="utf-8")
    if arguments != script["arguments"]:
        return failed(item, NOT_GIVEN)
    if os.path.exists(folder) and os.path.samefile(
        Path(stage).parent.parent, folder
    ):  # a file that is to go elsewhere is not written
        try:
            os.link(os.path.join(stage, PICTURE), target)  # new files would slow the timed run down that follows
        except FileExistsError:  # another worker does the same item
            pass
        except OSError:
            shutil.copyfile(os.path.join(stage, PICTURE), target)
    size = os.path.getsize(os.path.join(stage, PICTURE))
    return Outcome(item, Status.DONE, size, target, waited=time.perf_counter() - began)


@functools.lru_cache(maxsize=2)
def _script(stage: str) -> dict:
    return json.loads(Path(stage, SCRIPT).read_text(encoding="utf-8"))


def _somebody(stage: str, me: str, began: float) -> bool:
    """Whether another item has been in work since this one was begun."""
    for entry in os.scandir(stage):
        if entry.name.startswith(IN_WORK) and entry.name != me:
            with contextlib.suppress(ValueError):  # half written: it has just ended
                ended = Path(entry.path).read_text(encoding="utf-8")
                if not ended or float(ended) > began:
                    return True
    return False
