"""Takes from the saved notebook what the README shows of it: three pictures, and the figures between its markers.

python docs/from_run.py            write them
python docs/from_run.py --check    only say whether the README and the notebook agree (exit code 1 if not)
"""

from __future__ import annotations

import base64
import html
import json
import re
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = {"contact-photos": "photos.png", "download-compare": "timeline.png", "conclusion-chart": "result.png"}
BEGIN, END = ("<!-- from the saved run: written by docs/from_run.py -->", "<!-- end of the saved run -->")


def figures(notebook: dict) -> str:
    """The summary box of the saved notebook and the time of each part, as Markdown tables."""
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    box = "".join(cells["summary"]["outputs"][0]["data"]["text/html"])
    facts = re.findall(r"<th[^>]*>(.*?)</th><td[^>]*>(.*?)</td>", box)
    lines = ["| | |", "| --- | --- |", *(f"| {html.unescape(name)} | {html.unescape(fact)} |" for name, fact in facts)]
    lines += ["", "| Part of the notebook | Seconds |", "| --- | ---: |"]
    part, seconds, total = "", 0.0, 0.0
    for cell in [*notebook["cells"], {"cell_type": "markdown", "source": "## end"}]:
        heading = re.match(r"## (.*)", "".join(cell["source"])) if cell["cell_type"] == "markdown" else None
        if heading:
            if part:
                lines.append(f"| {part} | {seconds:.0f} |")
            part, seconds = heading[1], 0.0
        elif cell["cell_type"] == "code":
            times = cell["metadata"]["execution"]
            began, ended = (
                datetime.fromisoformat(times[key]) for key in ("iopub.execute_input", "shell.execute_reply")
            )
            seconds += (ended - began).total_seconds()
            total += (ended - began).total_seconds()
    return "\n".join([*lines, f"| **Together** | **{total:.0f}** |"])


def pictures(notebook: dict) -> dict[str, bytes]:
    """The last picture of each cell named in PICTURES, as PNG, by file name."""
    found = {}
    for cell in notebook["cells"]:
        if cell["id"] in PICTURES:
            images = [
                output["data"]["image/png"] for output in cell["outputs"] if "image/png" in output.get("data", {})
            ]
            found[PICTURES[cell["id"]]] = base64.b64decode(images[-1])
    return found


def main() -> None:
    notebook = json.loads((ROOT / "assignment.ipynb").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    wanted = f"{before}{BEGIN}\n{figures(notebook)}\n{END}{after}"
    if "--check" in sys.argv:
        same = {name: (ROOT / "docs" / name).read_bytes() == body for name, body in pictures(notebook).items()}
        if wanted != readme or not all(same.values()):
            sys.exit("README.md or docs/ show another run than assignment.ipynb: run python docs/from_run.py")
        return
    (ROOT / "README.md").write_text(wanted, encoding="utf-8")
    for name, body in pictures(notebook).items():
        (ROOT / "docs" / name).write_bytes(body)


if __name__ == "__main__":
    main()
