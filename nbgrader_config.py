"""Settings of nbgrader, for teachers: what is handed out, what is collected, how it is graded.

Run nbgrader in this folder. It keeps its folders (source, release, submitted, autograded, feedback) here, too.
"""

import json
import os
import re
import shutil
from pathlib import Path

# What a submission is graded with, in place of the student's config.ini: few photos, and the practice server.
# Two workers at least, on any machine: with one, nothing could be seen to happen at the same time.
GRADING = """\
[unsplash]
photos = 12
[parallel]
threads = 8
processes = 2
[practice]
latency_ms = 20
[notebook]
going_further = no
"""


def prepare_grading(assignment: str, student: str, notebooks: list[str]) -> None:
    """Before a submission is graded: put its settings there, and keep the teacher's access key from its code.

    Args:
        notebooks: paths of the submitted notebooks, COURSE/submitted/STUDENT/ASSIGNMENT/NAME.ipynb.
    """
    os.environ.pop("UNSPLASH_ACCESS_KEY", None)
    readings = {}
    for notebook in notebooks:  # what a student's own run shows stands in its outputs, which nbgrader takes away
        try:
            cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
            for output in (output for cell in cells for output in cell.get("outputs", [])):
                readings |= output.get("data", {}).get("application/vnd.parallel-photos.reading+json", {})
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # no notebook, or outputs of another form: nothing was read off
    for submitted in {Path(notebook).parent for notebook in notebooks}:
        folder = submitted.parents[2] / "autograded" / submitted.parent.name / submitted.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.ini").write_text(GRADING, encoding="utf-8")
        (folder / "cache").mkdir(exist_ok=True)
        (folder / "cache" / "submitted-readings.json").write_text(json.dumps(readings), encoding="utf-8")
        drawn = submitted.parents[2] / "cache" / "grading"  # by `make grade`: they need not be drawn again
        if drawn.exists():
            shutil.copytree(drawn, folder / "cache" / "practice", dirs_exist_ok=True)


def finish_grading(assignment: str, student: str, notebooks: list[str]) -> None:
    """After a submission is graded: the student's own outputs come back, and all files but the notebook go.

    Cells with points keep what the grader's run printed; the lines that students don't get are taken out of them. A
    submission without any output keeps all of that run.
    """
    for notebook in map(Path, notebooks):
        folder = notebook.parents[3] / "autograded" / notebook.parts[-3] / assignment
        graded = json.loads((folder / notebook.name).read_text(encoding="utf-8"))
        try:
            cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
            own = {cell["id"]: cell for cell in cells if cell["cell_type"] == "code" and "id" in cell}
            ran = any(cell.get("outputs") for cell in own.values())
        except (ValueError, KeyError, TypeError, AttributeError):
            own, ran = {}, False
        for cell in graded["cells"]:
            about = cell["metadata"].get("nbgrader", {})
            if cell["cell_type"] == "code" and about.get("grade"):
                source = "".join(cell["source"])
                cell["source"] = re.sub(r"### BEGIN HIDDEN.*?### END HIDDEN TESTS\n", "", source, flags=re.DOTALL)
            elif cell["cell_type"] == "code" and ran and cell.get("id") in own:
                cell["outputs"] = own[cell["id"]].get("outputs", [])
                cell["execution_count"] = own[cell["id"]].get("execution_count")
        if os.name == "nt":  # nbgrader has made all files read-only; here such a file can't even be deleted
            for path in filter(Path.is_file, folder.rglob("*")):
                path.chmod(0o644)
        (folder / notebook.name).unlink()
        (folder / notebook.name).write_text(json.dumps(graded, indent=1), encoding="utf-8")
        for path in folder.iterdir():
            if path.suffix != ".ipynb":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


c = get_config()  # noqa: F821 - nbgrader defines it

c.CourseDirectory.course_id = "parallel-photos"
# Never handed out, collected or copied: photos, thumbnails, caches, keys, environments.
c.CourseDirectory.ignore = [
    "*.jpg", "*.part", "cache", "config.ini", ".env", ".venv", ".git", "*.html", "*.zip",
    "__pycache__", "*.pyc", ".ipynb_checkpoints", ".DS_Store", "feedback",
]  # fmt: skip
c.CourseDirectory.max_file_size = 20_000  # kB: a notebook with all its charts has less than 3,000
c.CourseDirectory.max_dir_size = 20_000_000  # kB: nbgrader adds up the photos, too, before it leaves them out

# Seconds for each cell. The default is 30; the serial download of 1,500 photos takes minutes.
c.Execute.timeout = 900

# What students get in place of the solutions. The lines above each one say what to do.
c.ClearSolutions.code_stub = {
    "python": "# TODO: write your code here, in place of the next line.\nraise NotImplementedError"
}
c.ClearSolutions.text_stub = "*Write your answer here, in place of this line.*"
c.ClearOutput.remove_metadata_fields = {"collapsed", "scrolled", "execution"}  # execution: times of the teacher's run

c.OverwriteCells.add_missing_cells = True  # a cell with points that was deleted comes back
c.Autograde.pre_convert_hook = prepare_grading
c.Autograde.post_convert_hook = finish_grading
