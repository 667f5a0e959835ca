"""What a watched call means: the verdict, by the first reason that holds (reasons.py). Nothing is run here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from checks.attempt import Attempt
from checks.reasons import reason
from checks.seen import Seen
from checks.verdict import Verdict
from kit import journal, sentences
from kit.runs import Run, same_item

ASKED_FOR = {"download": "threads", "resize": "processes"}


def verdict_on(attempt: Attempt, baseline: Run) -> Verdict:
    """What the run on the whole list proves, or why it is wrong."""
    run = attempt.run
    if wrong := _rejected(attempt, baseline):
        return wrong
    assert run
    proof = _proof(attempt, run, baseline)
    if attempt.unread:
        proof += (
            f"\nNote: {len(attempt.unread):,} exceptions in workers were read by nobody, without harm to the work; "
            f"the first one is {type(attempt.unread[0]).__name__}."
        )
    return Verdict("RIGHT", proof, run)


def other_items(baseline: Run, items: Sequence) -> Verdict | None:
    """If the list is another one than that of the serial run, nothing can be compared."""
    asked, given = (Counter(map(same_item, names)) for names in (baseline.items, map(journal.name_of, items)))
    if asked == given:
        return None
    return Verdict(
        "WRONG",
        f"your list has {given.total():,} items, {(asked & given).total():,} of them those of the serial run, which "
        f"had {asked.total():,}.\nNext step: leave the list as it is, and run the cells from the serial run on again.",
    )


def rehearsed(attempt: Attempt, number: int) -> Verdict | None:
    """What is wrong in the first or second rehearsal, or None."""
    verdict = _rejected(attempt)
    if verdict and verdict.word == "WRONG":
        note = "This was seen in a rehearsal, before the clock was started and without real work."
        if number == 2 and not attempt.late:
            note = (
                "A first call, with another list, had been right; this was the second one. Look whether something of "
                f"the first one outlives it, such as a pool that is closed or a list of what is done.\n{note}"
            )
        return replace(verdict, text=f"{verdict.text}\n{note}")
    return verdict


def _rejected(attempt: Attempt, baseline: Run | None = None) -> Verdict | None:
    """The verdict on a call that was not right."""
    if isinstance(attempt.error, NotImplementedError):
        return Verdict("NOT ATTEMPTED YET", f"write {attempt.name}, then run this cell again.")
    text = reason(Seen(attempt, baseline))
    if attempt.lost:
        folders = " and ".join(sorted({f"{Path(path).parent.name}/" for path in attempt.lost}))
        text += f"\nBesides: {len(attempt.lost):,} files in {folders} are lost. Run the serial cells again."
    return Verdict("WRONG", text) if text else None


def _proof(attempt: Attempt, run: Run, baseline: Run) -> str:
    asked = ASKED_FOR[run.task]
    witness = []
    if run.task == "download" and attempt.sent is not None:
        witness = [f"Witness: the practice server sent each of the {len(run.done):,} photos in this time."]
    elif run.task == "download":
        witness = ["No witness: the host of the photos does not tell what it sent. What download_photo noted counts."]
    lines = [
        f"{len(run.items):,} items, each done exactly once by {run.label()}, up to {run.peak} at the same time"
        + (f"; {len(run.gone):,} of them are gone, as in the serial run." if run.gone else "."),
        f"Proved: the same {len(run.files):,} files as the serial run, byte for byte; all of them finished before the "
        "clock stopped; none failed, none was skipped; the folder was empty at the start.",
        *witness,
        sentences.measured((baseline, run)),
    ]
    if run.mode != asked and run.mode != "serial":
        lines.append(f"Note: the exercise asks for {asked}; this solution uses {run.mode}. That is allowed.")
    asked_workers = attempt.arguments[-1]
    if isinstance(asked_workers, int) and run.workers < asked_workers:
        lines.append(f"Note: {asked_workers:,} workers were asked for; {run.workers:,} did the work.")
    return "\n".join(lines)
