"""Writes the table of docs/tests.md, what was tried against the program, from the tests' own report.

python -m pytest --junitxml=cache/tests.xml
python docs/from_tests.py cache/tests.xml            write the table into docs/tests.md
python docs/from_tests.py cache/tests.xml --check    only say whether docs/tests.md agrees (exit code 1 if not)

A test that causes a fault says which one and how often: record_property("connection reset", 12). The name is written
out as one text, so that it can be found. Tests that failed or were skipped don't count.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

PAGE = Path(__file__).resolve().parent / "tests.md"
BEGIN, END = ("<!-- from the tests: written by docs/from_tests.py -->", "<!-- end of what the tests say -->")


def tried(report: Path) -> Counter[str]:
    """How often each fault was caused, by name, in all passed tests of a JUnit report."""
    times: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        if any(case.find(ending) is not None for ending in ("failure", "error", "skipped")):
            continue
        for entry in case.iter("property"):
            times[entry.get("name", "")] += int(entry.get("value", ""))
    return times


def table(times: Counter[str]) -> str:
    rows = [f"| {fault} | {times[fault]:,} |" for fault in sorted(times, key=str.casefold)]
    return "\n".join(["| What was tried | How often |", "| --- | ---: |", *rows])


def page(text: str, block: str) -> str:
    """The page with this block between the two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{block}\n{END}{rest.split(END)[1]}"


def main() -> None:
    report, *options = sys.argv[1:]
    before = PAGE.read_text(encoding="utf-8")
    wanted = page(before, table(tried(Path(report))))
    if options != ["--check"]:
        PAGE.write_text(wanted, encoding="utf-8")
    elif before != wanted:
        sys.exit(f"docs/tests.md shows other tests than {report}. Run python docs/from_tests.py {report}")


if __name__ == "__main__":
    main()
