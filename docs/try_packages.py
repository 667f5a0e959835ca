"""Runs the code blocks of docs/packages.md for real and writes into the page what came of it.

python docs/try_packages.py                  run all of them with 300 photos, write the table into the page
python docs/try_packages.py joblib Dask      run these, only print what came of it

Every block runs in a Python of its own, in a copy of the project's folder, as a student would run it. It counts as
right only if `checks` says so: the same files as a loop makes, each exactly once, several in work at once.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "packages.md"
sys.path.insert(0, str(ROOT))

import helpers  # noqa: E402
import practice  # noqa: E402

BEGIN, END = ("<!-- from a run: written by docs/try_packages.py -->", "<!-- end of the run -->")
# name in the page: what to install; "" if Python brings it along
PACKAGES = {
    "threading": "",
    "multiprocessing": "",
    "concurrent.futures": "",
    "asyncio": "httpx",
    "joblib": "joblib",
    "Dask": "distributed",
    "Ray": "ray",
    "mpi4py": "mpi4py",
    "Numba": "numba",
}
STAGES = {"download": 16, "resize": 2}  # how many workers each stage gets

BEFORE = """
import json
import pickle
import sys
import time
from pathlib import Path

from helpers import download_photo, make_thumbnail

"""
AFTER = """

if __name__ == "__main__":
    import checks
    import helpers

    state = pickle.loads(Path("state.pickle").read_bytes())
    found = {}
    for task, items, baseline, arguments in state:
        if function := globals().get(f"{task}_parallel"):
            verdict = checks.check(function, baseline, items, *arguments)
            seconds = (verdict.run.start_up, verdict.run.wall) if verdict.run else (0, 0)
            found[task] = [verdict.word, *seconds, str(verdict)]
    print(json.dumps(found))
"""
# Numba has its own way of making a picture smaller, so its files can't be those of Pillow, byte for byte.
AFTER_NUMBA = """

if __name__ == "__main__":
    import numpy as np

    task, items, baseline, arguments = pickle.loads(Path("state.pickle").read_bytes())[1]
    walls = []
    for count in (1, 1, len(items)):
        folder = Path(f"numba-{len(walls)}")
        folder.mkdir(exist_ok=True)
        started = time.perf_counter()
        resize_parallel(items[:count], folder, *arguments)
        walls.append(time.perf_counter() - started)
    differences = []
    for name in baseline.files:
        with Image.open(folder / name) as own, Image.open(Path("thumbnails", name)) as other:
            assert own.size == other.size, (own.size, other.size)
            differences.append(np.abs(np.asarray(own, float) - np.asarray(other, float)).mean())
    word = "RIGHT" if np.mean(differences) < 5 else "WRONG"
    text = f"{word}: the pixels differ from Pillow's by {np.mean(differences):.1f} of 255 on average"
    print(json.dumps({task: [word, walls[0] - walls[1], walls[2], text]}))
"""


def blocks(page: str) -> dict[str, str]:
    """The code blocks of the page by the heading above them."""
    return dict(re.findall(r"(?ms)^### ([^\n]+)\n(?:(?!^### ).)*?^```python\n(.*?)^```", page))


def installed(name: str) -> bool:
    module = PACKAGES[name]
    return not module or importlib.util.find_spec(module) is not None


def prepare(folder: Path, server: practice.PracticeServer, count: int) -> None:
    """A copy of the modules, and the serial runs against which the blocks are judged."""
    shutil.copy(ROOT / "helpers.py", folder)
    for name in ("kit", "checks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    source = helpers.Source(
        "the practice server", "try", server.api, [server.images], helpers.Secret(server.key), server
    )
    before = Path.cwd()
    os.chdir(folder)
    try:
        photos = source.photos(helpers.collect_photos(source, count))
        downloaded = helpers.timed_run(download_serial, photos)
        paths = helpers.keep(downloaded, "images")
        resized = helpers.timed_run(resize_serial, paths, 200)
        helpers.keep(resized, "thumbnails")
    finally:
        os.chdir(before)
    state = [
        ("download", photos, downloaded, (STAGES["download"],)),
        ("resize", paths, resized, (200, STAGES["resize"])),
    ]
    (folder / "state.pickle").write_bytes(pickle.dumps(state))


def download_serial(photos: list[helpers.Photo], folder: Path) -> None:
    for photo in photos:
        helpers.download_photo(photo, folder)


def resize_serial(paths: list[Path], folder: Path, size: int) -> None:
    for path in paths:
        helpers.make_thumbnail(path, folder, size)


def run(name: str, code: str, folder: Path) -> dict[str, list]:
    """Run one block; by stage: word of the verdict, seconds until the first item, seconds in all, the verdict."""
    script = folder / f"try_{name.replace('.', '_')}.py"
    script.write_text(BEFORE + code + (AFTER_NUMBA if name == "Numba" else AFTER), encoding="utf-8")
    command = [sys.executable, script.name]
    if name == "mpi4py":  # one process that hands out the work, and the workers
        mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        command = [mpiexec, "-n", str(1 + STAGES["resize"]), sys.executable, "-m", "mpi4py.futures", script.name]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    lines = ended.stdout.strip().splitlines()
    if ended.returncode or not lines:
        raise RuntimeError(
            f"{name} ended with code {ended.returncode}:\n{ended.stdout[-1000:]}\n{ended.stderr[-2000:]}"
        )
    return json.loads(lines[-1])


def table(names: list[str], folder: Path, repetitions: int = 3) -> str:
    """Versions and median start-up of the blocks, as a Markdown table. How long the rest takes, the machine decides."""
    code = blocks(PAGE.read_text(encoding="utf-8"))
    runs: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(repetitions):  # in alternation: a disturbance does not hit one package alone
        for name in names:
            runs[name].append(run(name, code[name], folder))
    rows = []
    for name, found in runs.items():
        for task in found[0]:
            if wrong := [one[task][3] for one in found if one[task][0] != "RIGHT"]:
                raise RuntimeError(f"{name}, {task}: {wrong[0]}")
            first = statistics.median(one[task][1] for one in found)
            package = f"{PACKAGES[name]} {version(PACKAGES[name])}" if PACKAGES[name] else "part of Python"
            rows.append(f"| {name} | {package} | {task}, {STAGES[task]} workers | {first:.2f} |")
    return "\n".join(rows)


def main() -> None:
    chosen = sys.argv[1:] or list(PACKAGES)
    missing = [name for name in chosen if not installed(name)]
    if missing:
        sys.exit(f"Not installed: {', '.join(PACKAGES[name] for name in missing)}.")
    with tempfile.TemporaryDirectory() as folder:
        pictures = ROOT / "cache" / "practice"
        server = practice.start(pictures, photos=300, latency=0.02, bandwidth=0, quota=1000, report=lambda *_: None)
        prepare(Path(folder), server, 300)
        if sys.argv[1:]:
            code = blocks(PAGE.read_text(encoding="utf-8"))
            for name in chosen:
                for task, (_, first, wall, text) in run(name, code[name], Path(folder)).items():
                    print(f"{name}, {task}: first item after {first:.2f} s, {wall:.2f} s in all. {text}\n")
        else:
            page = PAGE.read_text(encoding="utf-8")
            machine = helpers.environment()
            rows = table(chosen, Path(folder))
            note = f"300 photos; {machine['CPUs']}; Python {machine['Python']}; latency of the downloads 20 ms."
            text = "\n".join([BEGIN, note, "", "| block | package | work | first item after (s) |",
                              "| --- | --- | --- | ---: |", rows, END])  # fmt: skip
            PAGE.write_text(page.split(BEGIN)[0] + text + page.split(END)[1], encoding="utf-8")
        server.close()


if __name__ == "__main__":
    main()
