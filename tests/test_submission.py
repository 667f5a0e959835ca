"""submission.zip: what is in it, and every reason not to write it. The programs run as a student would run them."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import kernel
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from published import cell, published, with_tiny_pictures

from checks.submission import Refused, write
from kit.evidence import MIME
from kit.machine import fingerprint, modules_in

ROOT = Path(__file__).parent.parent
ROOMS = ("kit", "checks", "practice")
TEXTS = ("helpers.py", "README.md", "requirements.txt", "config.ini.example", "LICENSE")
KEY = "Zk3v_Sentinel-Q8wX1mT5yB7nJ2rL9pD4gH6fC0aEu"  # as long as a real one, and no key
OTHER = "a9-Fj2kLmQ0xRz7Ty_Vb4Wc8Nd1Pe6Sg3Hu5Ki0Oo2B"  # looks like one, and is in no config.ini


def executed(records: bool = False) -> dict:
    """The saved notebook as a run from top to bottom with the modules of today would number it, with tiny pictures.

    Without its records only some cells are left, which are read in a tenth of the time.
    """
    return json.loads(_executed(records))


SOME = {"setup", "summary", "settings", "environment", "likes", "download-reading", "resize-check", "submission"}


@functools.cache
def _executed(records: bool) -> str:
    notebook = with_tiny_pictures(json.loads(published("assignment.ipynb")))
    notebook["cells"] = [cell for cell in notebook["cells"] if records or cell["id"] in SOME]
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    version = f"version {fingerprint()} of"
    for number, one in enumerate(code, start=1):
        one["execution_count"] = number
        one["outputs"] = [out for out in one["outputs"] if records or MIME not in out.get("data", {})]
        for output in one["outputs"]:
            if "text" in output:
                text = "".join(output["text"])
                output["text"] = re.sub(r"version \w{8} of", version, text)
    return json.dumps(notebook, ensure_ascii=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What a student has after a run, with a key in config.ini, but with one module of each room."""
    for name in TEXTS:
        shutil.copy(ROOT / name, tmp_path)
    for room in ROOMS:
        (tmp_path / room).mkdir()
        shutil.copy(ROOT / room / "__init__.py", tmp_path / room)
    (tmp_path / "config.ini").write_text(f"[unsplash]\n; access_key = OLD{KEY[::-1]}\naccess_key =\n  {KEY}\n")
    save(tmp_path, executed())
    return tmp_path


@pytest.fixture
def whole(project: Path) -> Path:
    """The same with all modules and the records of the runs."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, project / room, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    save(project, executed(records=True))
    return project


def save(project: Path, notebook: dict) -> None:
    (project / "assignment.ipynb").write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")


def submit(project: Path) -> tuple[int, str]:
    """What `make submission` does, in this process: its exit code and what it says."""
    try:
        return 0, write(project)
    except Refused as reason:
        return 1, str(reason)


def submit_by_command(project: Path) -> tuple[int, str]:
    """`make submission`, with the modules of that folder: its exit code and all that it says."""
    found = subprocess.run(
        [sys.executable, "-m", "checks.submission"],
        cwd=project, env={**os.environ, "PYTHONUTF8": "1"}, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    return found.returncode, found.stdout + found.stderr


def assert_refused(project: Path, reason: str, submit: Callable = submit) -> str:
    code, said = submit(project)
    assert code == 1 and "submission.zip was not written" in said and reason in said, said
    assert "Traceback" not in said and not (project / "submission.zip").exists()
    assert not list(project.glob("*.part"))
    return said


# --- what is in it ----------------------------------------------------------------------------------------------


def test_holds_what_a_grader_needs_and_nothing_else(whole: Path) -> None:
    (whole / "my_functions.py").write_text("# imported by the notebook\n")
    for name in (
        "images/a.jpg", "thumbnails/a.jpg", "cache/metadata/unsplash.jsonl", ".venv/lib/secret.py", ".env",
        ".ipynb_checkpoints/assignment-checkpoint.ipynb", "checks/__pycache__/submission.pyc", "notes/private.py",
        "submission.zip", "assignment.html", "kit/.ipynb_checkpoints/runs-checkpoint.py",
        "nbgrader_config.py",
    ):  # fmt: skip
        (whole / name).parent.mkdir(parents=True, exist_ok=True)
        (whole / name).write_text(KEY)
    (whole / "linked.py").symlink_to(whole / "config.ini")
    code, said = submit_by_command(whole)
    assert code == 0, said
    with zipfile.ZipFile(whole / "submission.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert all(archive.read(name) == (whole / name).read_bytes() for name in names)
    modules = [path.relative_to(ROOT).as_posix() for room in ROOMS for path in modules_in(ROOT / room)]
    assert sorted(names) == sorted([*TEXTS, "assignment.ipynb", "my_functions.py", *modules])
    size = (whole / "submission.zip").stat().st_size
    assert f"{len(names)} files, {size / 1e6:.2f} MB" in said and all(name in said for name in names)
    assert "download RIGHT, resize RIGHT" in said and KEY not in said
    with zipfile.ZipFile(whole / "submission.zip") as archive:
        archive.extractall(whole / "grader")
    program = "import checks, checks.submission, helpers, practice; print(helpers.load_settings().photos)"
    found = subprocess.run([sys.executable, "-c", program], cwd=whole / "grader", capture_output=True, text=True)
    assert found.stdout.strip() == "1500", found.stderr


def test_is_named_after_the_student_number(project: Path) -> None:
    notebook = executed()
    box = cell(notebook, "summary")
    box["source"] = "".join(box["source"]).replace('student_number = ""', "student_number = 's123-4'")
    save(project, notebook)
    code, said = submit(project)
    assert code == 0 and "submission-s123-4.zip is written" in said and "no student number" not in said
    box["source"] = box["source"].replace("s123-4", "../../up")  # no file name
    save(project, notebook)
    assert "submission.zip is written" in submit(project)[1]


def test_warns_of_what_is_probably_not_meant_and_writes_all_the_same(whole: Path) -> None:
    notebook = executed(records=True)
    warned = "Look again: there is no student number in it."
    said = submit(whole)[1]
    assert said.count("Look again: ") == 3 and warned in said and said.count("says NOT ATTEMPTED YET") == 2  # unread
    cell(notebook, "question-gap")["source"] = "3\n\n*Write your answer here, in place of this line.*"
    (verdict,) = (out for out in cell(notebook, "resize-check")["outputs"] if "RIGHT" in str(out))
    verdict["data"]["text/plain"] = "WRONG: no"
    for one in notebook["cells"]:
        for output in one.get("outputs", []):
            output.get("data", {}).pop("image/png", None)
    save(whole, notebook)
    code, said = submit(whole)
    assert code == 0 and "download RIGHT, resize WRONG" in said
    for warning in (
        "1 answers are blank", "the cell 'graded = resize_verdict = checks.check(' says WRONG",
        "resize: there are records of a parallel run, and the check says WRONG",
        "there is no chart in the notebook",
    ):  # fmt: skip
        assert f"Look again: {warning}" in said, said


@pytest.mark.parametrize(("name", "number"), [("submission", None), ("submission", 4), ("download-reading", 123)])
def test_a_cell_that_changes_no_run_may_run_whenever_you_like(project: Path, name: str, number: int | None) -> None:
    notebook = executed()
    cell(notebook, name)["execution_count"] = number
    save(project, notebook)
    code, said = submit(project)
    assert code == 0, said


# --- was it run from top to bottom? -----------------------------------------------------------------------------


def numbered(notebook: dict, numbers: Callable[[int], int | None]) -> None:
    """Other execution counts in all cells."""
    for one in notebook["cells"]:
        if one["cell_type"] == "code":
            one.update(execution_count=numbers(one["execution_count"]))


ERROR = {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "", "traceback": []}
ADDED = {"cell_type": "code", "source": ["1 + 1"], "execution_count": None, "outputs": []}
NOT_ONE_RUN: dict[str, Callable[[dict], object]] = {  # what is said -> what was done to the notebook
    "The cell 'def five_numbers(likes):' was not run": lambda all: cell(all, "likes").update(execution_count=None),
    "it has the number 51, not 1": lambda all: numbered(all, lambda count: count + 50),
    "it has the number 99, not ": lambda all: cell(all, "likes").update(execution_count=99),
    "The cell '1 + 1' was not run": lambda all: all["cells"].append(ADDED),
    "ended with ZeroDivisionError": lambda all: cell(all, "likes")["outputs"].append(ERROR),
    "a check always says something": lambda all: cell(all, "resize-check").update(outputs=[]),
}


@pytest.mark.parametrize("reason", NOT_ONE_RUN)
def test_refuses_a_notebook_that_was_not_run_from_top_to_bottom(project: Path, reason: str) -> None:
    notebook = executed()
    NOT_ONE_RUN[reason](notebook)
    save(project, notebook)
    assert "Restart the kernel" in assert_refused(project, reason)


def test_refuses_if_the_modules_were_changed_after_the_run(whole: Path) -> None:
    with (whole / "helpers.py").open("a") as file:
        file.write("\nLAST = 1\n")
    assert_refused(whole, "were changed after the notebook had been run", submit_by_command)


@pytest.mark.parametrize("name", ["README.md", "requirements.txt", "assignment.ipynb"])
def test_names_what_is_missing(project: Path, name: str) -> None:
    (project / name).unlink()
    code, said = submit(project)
    assert code == 1 and said.startswith(f"{name} is missing") and "Traceback" not in said


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"cells": 5}', '{"cells": [{"cell_type": "code"}]}'])
def test_names_a_file_that_is_no_notebook(project: Path, text: str) -> None:
    (project / "assignment.ipynb").write_text(text)
    code, said = submit(project)
    assert code == 1 and "is not a notebook" in said and "Traceback" not in said


def test_says_why_it_can_not_write(project: Path) -> None:
    (project / "submission.zip").mkdir()
    code, said = submit(project)
    assert code == 1 and "submission.zip can't be written" in said and "Traceback" not in said
    assert not list(project.glob("*.part"))


# --- does a file hold a key? ------------------------------------------------------------------------------------


def put(project: Path, place: str, what: dict | str | bytes) -> None:
    """Fields into the notebook or into one of its cells; text below a file's; bytes in place of a file's."""
    if isinstance(what, dict):
        notebook = json.loads((project / "assignment.ipynb").read_text(encoding="utf-8"))
        (notebook if place == "notebook" else cell(notebook, place)).update(what)
        save(project, notebook)
    elif isinstance(what, bytes):
        (project / place).write_bytes(what)
    else:
        with (project / place).open("a", encoding="utf-8") as file:
            file.write(f"\n# {what}\n")


def prints(*texts: str) -> dict:
    return {"outputs": [{"output_type": "stream", "name": "stdout", "text": [text]} for text in texts]}


def shows(kind: str, *texts: str, **more: object) -> dict:
    return {"outputs": [{"output_type": "display_data", "data": {kind: t}, "metadata": {}, **more} for t in texts]}


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def png() -> bytes:
    file, texts = io.BytesIO(), PngInfo()
    texts.add_text("Comment", f"made with {KEY}")
    Image.new("L", (9, 9)).save(file, "png", pnginfo=texts)
    return file.getvalue()


A, B = KEY[:20], KEY[20:]
FAILED = {"output_type": "error", "ename": "KeyError", "evalue": "", "traceback": ["Error", f"\x1b[0;31m{A}\x1b[0m{B}"]}


@pytest.mark.parametrize(
    ("place", "what", "named"),
    [
        ("settings", {"source": f"x = '{KEY}'", "execution_count": None}, ""),  # its first line is in the other reason
        ("settings", {"source": f"x = ('{A}'\n     '{B}')"}, ""),
        ("setup", {"source": f"My key: {A}&shy;{B}"}, ""),
        ("setup", {"source": f"<img src='data:image/svg+xml;base64,{in_base64(f'<b>{KEY}'.encode())}'>"}, ""),
        ("setup", {"attachments": {"a.png": {"image/png": in_base64(png())}}}, ", its metadata"),
        ("settings", {"metadata": {"tags": [KEY]}}, ", its metadata"),
        ("settings", prints(KEY), ", its output"),
        ("settings", prints(json.dumps(f"{A}\n\x1b[1m{B}")), ", its output"),
        ("settings", prints(f"\x1b[31m{A}\x1b[1;32m{B}\x1b[0m"), ", its output"),
        ("settings", prints(f"Authorization: Basic {in_base64(f'{KEY}:'.encode())}"), ", its output"),
        ("settings", {"outputs": [*prints(A)["outputs"], *shows("text/plain", f"'{B}'")["outputs"]]}, ", its output"),
        ("settings", {"outputs": [FAILED]}, ", its output"),
        ("settings", shows("text/html", f"<td>{A}<b>{B}</b>"), ", its output"),
        ("settings", shows("image/png", in_base64(png())), ", its output"),
        ("settings", shows("text/plain", "", novelty={"deep": [KEY]}), ", its output"),
        ("notebook", {"metadata": {"widgets": {"state": {KEY: {"value": ""}}}}}, ", its metadata"),
        ("README.md", f"# Mine\n{KEY}\n".encode("utf-16"), r", line \d+"),
        ("helpers.py", f"{A}\n# {B}", ""),
        ("requirements.txt", f"--index-url https://me:{KEY}@localhost/", r", line \d+"),
        ("config.ini.example", f"access_key = {KEY}", r", line \d+"),
        ("checks/__init__.py", KEY, r", line \d+"),
        (f"own_{KEY}.py", b"", "the name of a file"),
    ],
)
def test_refuses_the_own_key_anywhere(project: Path, place: str, what: dict | str | bytes, named: str) -> None:
    put(project, place, what)
    with pytest.raises(Refused, match="An access key, or what looks like one, stands in ") as refusal:
        write(project)
    said = str(refusal.value)
    assert re.search(rf"stands in (assignment\.ipynb, cell \d+|[^ ,]*){named}\. Keys", said), said
    assert KEY[:8] not in said and not (project / "submission.zip").exists()


def test_refuses_a_key_that_a_reader_of_json_does_not_see(project: Path) -> None:
    text = (project / "assignment.ipynb").read_text(encoding="utf-8")
    (project / "assignment.ipynb").write_text(f'{{"nbformat": "{KEY}", {text[1:]}', encoding="utf-8")
    assert_refused(project, "stands in assignment.ipynb. ")


def test_refuses_the_key_of_the_environment_and_an_old_one_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(project, "settings", prints("prefix-0123456789abcdef-suffix"))
    monkeypatch.setenv("UNSPLASH_ACCESS_KEY", "0123456789abcdef")
    assert_refused(project, "its output")
    monkeypatch.delenv("UNSPLASH_ACCESS_KEY")
    put(project, "settings", prints(f"<{KEY[::-1]}>"))
    assert submit(project)[0] == 0  # the old one in config.ini is longer: OLD...
    put(project, "settings", prints(f"<OLD{KEY[::-1]}>"))
    (project / "submission.zip").unlink()
    assert_refused(project, "its output")


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("settings", prints(f"Authorization: Client-ID {OTHER}")),
        ("settings", prints(f"Authorization: Bearer {OTHER}")),
        ("settings", prints(f"GET /?next=%252Fphotos%253Fclient_id%253D{OTHER}")),
        ("settings", prints(f'"/photos?client_id\\u003d{OTHER}\\u0026count=30"')),
        ("settings", prints(json.dumps(json.dumps({"client_id": [OTHER]})))),
        ("settings", prints(f"access_key    {OTHER}\nquality       regular")),
        ("settings", shows("text/html", f"<b>client_id=</b>{OTHER[:9]}<wbr>{OTHER[9:]}")),
        ("setup", {"source": f"I use `{OTHER}`."}),
        ("settings", {"source": f"headers = {{'x': '' + '{OTHER}'}}"}),
        ("settings", {"source": f"%env UNSPLASH_ACCESS_KEY {OTHER}"}),
        ("config.ini.example", f"\naccess_key = {OTHER}"),
        ("README.md", f"| `access_key` | `{OTHER}` |"),
        ("README.md", f"**Access Key**\n\n{OTHER}"),
        ("README.md", f"client_id={'0123456789abcdef' * 4}"),  # as they were in earlier years
        ("helpers.py", f"ACCESS_KEY='{OTHER}'"),
        ("helpers.py", f'token = "{OTHER}"'),
        ("helpers.py", f'secret_key = helpers.Secret("{OTHER[:30]}")'),
    ],
)
def test_refuses_what_looks_like_a_key(project: Path, place: str, what: dict | str) -> None:
    (project / "config.ini").unlink()
    put(project, place, what)
    with pytest.raises(Refused, match="what looks like one") as refusal:
        write(project)
    assert OTHER[:30] not in str(refusal.value)


def test_placeholders_words_digests_and_photos_are_no_keys(project: Path) -> None:
    text = (
        "access_key = YOUR_UNSPLASH_ACCESS_KEY_1\nClient-ID ACCESS_KEY\naccess_key =\n"
        'digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"\n'
        'name = "thumbnails_of_all_photos_in_16_processes_a"\n'
        "def f(access_key, thumbnails_of_photos_in_16_processes, api_key=ThumbnailsOfPhotosIn16Processes): ...\n"
        "https://images.unsplash.com/photo-1519681393784-d120267933ba?ixid=M3wxMjA3fDB8MHxyYW5kb218fHx8fHx8fA&w=1080\n"
        "The access key: https://unsplash.com/photos/Bkci_8qcdvQ 6f1c2d3e-4b5a-4978-8695-a4b3c2d1e0f9\n"
    )
    put(project, "config.ini", b"[unsplash]\naccess_key =\nscheduler =\n")  # that word is no key, and everywhere
    put(project, "README.md", text)
    put(project, "settings", prints(text, f"apikey={in_base64(hashlib.sha512(b'').digest() * 9)}"))
    code, said = submit(project)
    assert code == 0, said


def test_a_refusal_leaves_the_earlier_file_and_says_so(project: Path) -> None:
    assert submit(project)[0] == 0
    before = (project / "submission.zip").read_bytes()
    put(project, "settings", prints(KEY))
    code, said = submit(project)
    assert code == 1 and "is from an earlier time" in said
    assert (project / "submission.zip").read_bytes() == before


# --- the cell in the notebook -----------------------------------------------------------------------------------


def test_the_cell_knows_what_the_kernel_ran_and_never_fails(whole: Path) -> None:
    sources = ["first = 1", "second = first + 1", "from checks import submission\nsubmission.hand_in()"]

    def saved(*texts: str) -> None:
        cells = [
            {"cell_type": "code", "source": text, "execution_count": n, "outputs": [], "metadata": {"tags": []}}
            for n, text in enumerate(texts, start=1)
        ]
        cells[-1]["metadata"]["tags"] = ["submission"]
        save(whole, {"cells": cells, "metadata": {}})

    saved(*sources)
    os.utime(whole / "assignment.ipynb", (1e9, 1e9))
    with kernel(whole) as run:
        for text in sources[:-1]:
            assert run(text) == ""
        assert "To hand in: wait for the end of the run, save the notebook" in " ".join(run(sources[-1]).split())
        assert not (whole / "submission.zip").exists()
        saved(sources[0], "second = first + 2", sources[-1])
        said = " ".join(run(sources[-1]).split())
        assert "The cell 'second = first + 2' was changed after it had been run" in said
        assert not (whole / "submission.zip").exists()
        saved(*sources)
        assert "submission.zip is written" in run(sources[-1])
        assert zipfile.ZipFile(whole / "submission.zip").testzip() is None
