"""Would the tests notice? Deliberate faults, put into a copy of the code one by one: python tests/mutants.py

Each is what a careless change could bring. The tests named beside it run on the copy; they notice it if one of them
fails. A run of all writes its score into docs/tests.md. It takes some minutes; words after the command choose faults by
their file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
PAGE = ROOT / "docs" / "tests.md"
BEGIN, END = "<!-- from tests/mutants.py -->", "<!-- end of what it says -->"


@dataclass(frozen=True)
class Fault:
    """One line of code as it is, and as it would be; which tests should notice.

    Attributes:
        tests: arguments of pytest.
    """

    file: str
    right: str
    wrong: str
    tests: str


RUNS, DOWNLOAD, SOURCE, SAVED = (
    "tests/test_runs.py",
    "tests/test_download.py",
    "tests/test_source.py",
    "tests/test_saved.py",
)
SUBMISSION, THUMBNAIL = "tests/test_submission.py", "tests/test_thumbnail.py"
PRACTICE, PIPELINE = "tests/test_practice.py", "tests/test_pipeline.py"
FAULTS = (
    # a figure, a grade or a solution that is handed out would be wrong
    Fault("kit/journal.py", "time.thread_time() - cpu", "time.process_time() - cpu", RUNS),
    Fault("kit/transport.py", "Answer(answer.status, told, body, waited)",
          "Answer(answer.status, told, body, time.perf_counter() - sent)", RUNS),
    Fault("kit/runs.py", "return min((outcome.started", "return max((outcome.started", RUNS),
    Fault("kit/runs.py", "for function, count in plan:",
          "for function, count in sorted(plan, key=lambda p: p[1]):", RUNS),
    Fault("kit/runs.py", "compare(runs[0][1] if runs else run, run)", "pass", RUNS),
    Fault("kit/runs.py", "            run.discard()\n            runs.append", "            runs.append", RUNS),
    Fault("kit/runs.py", "step for _, step in edges", "abs(step) for _, step in edges", RUNS),
    Fault("kit/runs.py", "return baseline.wall / other.wall", "return other.wall / baseline.wall", RUNS),
    Fault("practice/server.py", "len(body)) / self.bandwidth", "len(body)) / self.bandwidth * 8", PRACTICE),
    Fault("checks/grading.py", "SIZE = 160", "SIZE = 200", "tests/test_teacher.py -k size"),
    Fault("teacher/release.py", "if old.exists():", "if False:", "tests/test_release.py"),
    Fault("kit/sentences.py", "return pair[0].wall / pair[1].wall", "return pair[1].wall / pair[0].wall", SAVED),
    # what a check or a reader must see
    Fault("checks/attempt.py", "after.get(path) != size", "path not in after", RUNS),
    Fault("checks/attempt.py", "(SETTLE if alive else 1)", "1", RUNS),
    Fault("checks/saved.py", "source_digest(cell.source) == one.code", "True", SAVED),
    Fault("checks/saved.py", "late += outcome.finished > run.wall", "late += 0", SAVED),
    Fault("checks/saved.py", "if found.box.get(name) != fact", "if False", SAVED),
    Fault("checks/saved.py", "elif alts[words] != words:", "elif False:", SAVED),
    Fault("checks/saved.py", "if first.bytes != other.bytes", "if False and first.bytes != other.bytes", SAVED),
    Fault("checks/submission.py", "([\\w-]{20,})", "([\\w-]{43})", SUBMISSION),
    # nothing lost, nothing asked for twice
    Fault("kit/many.py", "(Status.FAILED, Status.GONE)",
          "(Status.FAILED, Status.GONE, Status.SKIPPED)", PIPELINE),
    Fault("kit/many.py", "limit=waiting)", "limit=10**6)", PIPELINE),
    Fault("kit/many.py", 
          "                if not finished.empty():\n                    break\n", "", PIPELINE),
    Fault("kit/pixels.py", "not in body[-64:]", "not in body[-2:]", DOWNLOAD),
    Fault("kit/pixels.py", "left >= 1.95", "left >= 1.0", THUMBNAIL),
    Fault("kit/pixels.py", "if left < 3 else", "if left < 9 else", THUMBNAIL),
    Fault("kit/transport.py", "or 0) > LARGEST", "or 0) > 10**18", DOWNLOAD),
    Fault("kit/transport.py", "if len(body) > LARGEST:", "if False:", DOWNLOAD),
    Fault("kit/transport.py", "headers = {**self.request.headers, **more}",
          "self.request.headers.update(more); headers = dict(self.request.headers)", SOURCE),
    Fault("kit/transport.py", "random.uniform(0.5, 1.5)", "1", DOWNLOAD),
    Fault("kit/transport.py", "bad == BAD_BODY_TRIES or", "", DOWNLOAD),
    Fault("kit/metadata.py", "hour - time.time() % hour + min", "hour + min", SOURCE),
    Fault("kit/metadata.py", " + min(5, hour / 10)", "", SOURCE),
    Fault("kit/metadata.py", "fruitless == 5", "fruitless == 50", SOURCE),
    Fault("kit/metadata.py", "os.fsync(file.fileno())", "pass", SOURCE),
    Fault("kit/files.py",
          "    except BaseException:\n        with contextlib.suppress(OSError):\n            os.unlink(part)",
          "    except Exception:\n        with contextlib.suppress(OSError):\n            os.unlink(part)",
          "tests/test_disk.py"),
    Fault("kit/settings.py", "if not low <= number <= high:", "if not low <= number:", "tests/test_settings.py"),
    Fault("practice/catalogue/__init__.py", "shot_of(DRAWINGS, index)", "shot_of(seed, index)",
          "tests/test_catalogue.py"),
    Fault("teacher/collected.py", "file.read(most + 1)", "file.read()", "tests/test_class.py -k bomb"),
    Fault("teacher/class_report.py", '.replace("<", "\\\\u003c")', "", "tests/test_class.py -k hostile"),
    Fault("teacher/grade.py", "ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)", "pass", "tests/test_grade.py"),
    Fault("teacher/grade.py", "    end_with_parent()\n", "", "tests/test_grade.py"),
    Fault("nbgrader_config.py", "(folder / notebook.name).unlink()", "pass", "tests/test_grade.py"),
    Fault("checks/grading.py", "    logging.disable()\n", "", "tests/test_steps.py"),
    Fault("kit/cluster.py", "os.environ.keys() - before.keys()", "()", "tests/test_cluster.py"),
    Fault("teacher/grade.py", "if sum(map(_memory, there)) / 1e6 > limits.memory:", "if False:", "tests/test_grade.py"),
)  # fmt: skip


def noticed(fault: Fault, copies: SimpleQueue[Path]) -> str:
    """ "noticed", "NOT NOTICED", or what is wrong with this row."""
    copy = copies.get()
    try:
        path = copy / fault.file
        code = path.read_text(encoding="utf-8")
        if code.count(fault.right) != 1:
            return f"the code has changed: {code.count(fault.right)} times {fault.right!r}"
        path.write_text(code.replace(fault.right, fault.wrong), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", "--assert=plain"]
        done = subprocess.run([*command, *fault.tests.split()], cwd=copy, capture_output=True, text=True, timeout=900)
        path.write_text(code, encoding="utf-8")
        return {0: "NOT NOTICED", 1: "noticed"}.get(done.returncode, f"pytest ended with {done.returncode}")
    finally:
        copies.put(copy)


def main() -> None:
    chosen = [fault for fault in FAULTS if not sys.argv[1:] or any(word in fault.file for word in sys.argv[1:])]
    tracked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    copies: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(WORKERS) as executor:
        for number in range(WORKERS):
            copy = Path(folder, str(number))
            for name in filter(lambda name: (ROOT / name).exists(), names):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
            history = ROOT / ".git"  # in a linked worktree, a file that says where it is
            (shutil.copytree if history.is_dir() else shutil.copy)(history, copy / ".git")
            copies.put(copy)
        found = []
        for fault, said in zip(chosen, executor.map(noticed, chosen, [copies] * len(chosen)), strict=True):
            found.append(said)
            print(f"{said:12} {fault.file}: {fault.right.strip()!r} -> {fault.wrong.strip()!r}", flush=True)
    score = f"{found.count('noticed')} of {len(found)} faults were noticed."
    print(score)
    if not sys.argv[1:]:
        missed = [fault for fault, said in zip(chosen, found, strict=True) if said != "noticed"]
        listed = "\n".join(f"- `{fault.file}`: `{fault.right.split(chr(10))[0].strip()}`" for fault in missed)
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.partition(BEGIN)[0], text.partition(END)[2]
        not_these = f" Not these lines:\n\n{listed}" if missed else ""
        PAGE.write_text(f"{before}{BEGIN}\n{score}{not_these}\n{END}{after}", encoding="utf-8")
    sys.exit(found.count("noticed") < len(found))


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # two faults of one size within a second would share compiled code
    main()
