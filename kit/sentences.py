"""What timed runs say, in sentences and numbers: for the notebook's cells, and again for who reads a saved one.

Nothing is drawn or measured here. Two readers of the same records get the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kit.predictions import beside
from kit.runs import Run

Pair = tuple[Run, Run]  # a stage's serial run and its parallel one
CROWDED = 0.1  # CPUs that others take: from here on the box warns


def gain(pair: Pair) -> float:
    """Speed-up: wall time of the serial run divided by that of the parallel one. Equal work: see runs.compare."""
    return pair[0].wall / pair[1].wall


def measured(pair: Pair) -> str:
    """The last line of a check's proof."""
    serial, parallel = pair
    return f"Measured: {serial.wall:.2f} s serial, {parallel.wall:.2f} s now: a speed-up of {gain(pair):.2f}."


def compared(pair: Pair) -> str:
    """Below the charts of a stage."""
    serial, parallel = pair
    made = "photos" if serial.task == "download" else "thumbnails"
    return (
        f"Equal work: {len(serial.done):,} {made} with the same bytes. Speed-up with {parallel.label()}: "
        f"{gain(pair):.2f}. The first worker began after {parallel.start_up:.2f} s."
    )


def concluded(pair: Pair) -> str:
    """What kind of work a stage is, and what its workers gained."""
    serial, parallel = pair
    kind = "neither clearly CPU nor I/O bound"
    if not 0.3 <= serial.busy <= 0.7:
        kind = "CPU bound" if serial.busy > 0.7 else "I/O bound"
    return (
        f"{serial.task.capitalize()}: the CPU was busy for {serial.busy:.0%} of the items' time: {kind}. Speed-up with "
        f"{parallel.label()}: {beside(gain(pair), parallel.prediction)}, which is {gain(pair) / parallel.workers:.0%} "
        "of the number of workers."
    )


def facts(runs: Sequence[Run], pairs: Sequence[Pair]) -> dict[str, str]:
    """Of the box at the top, by name."""
    kept = {"Photos": f"{len(runs[0].done):,}"} if runs else {}
    kept |= {f"{run.task.capitalize()}, {run.label()}": f"{run.wall:.1f} s" for run in runs}
    return kept | {f"Speed-up, {pair[0].task}": beside(gain(pair), pair[1].prediction) for pair in pairs}


def warnings(runs: Sequence[Run], pairs: Sequence[Pair]) -> list[str]:
    """What a reader of the box should know before believing a number."""
    found = [f"{pair[0].task}: parallel was not faster" for pair in pairs if gain(pair) <= 1]
    for run in runs:
        name, others = f"{run.task}, {run.label()}", (run.others or 0) / run.wall
        if others > CROWDED:
            found.append(f"{name}: other programs used {others:.2f} CPUs meanwhile")
        elif run.crowded > CROWDED:  # of more workers than CPUs, each waits for the others
            found.append(f"{name}: {run.crowded:.0%} of the items' time went by in waiting for a CPU")
    if runs and len(runs[0].done) < 1500:
        found.append(f"photos: only {len(runs[0].done):,}; asked for are 1,500")
    return found


def window(run: Run) -> float:
    """How many seconds of the beginning and of the end a timeline shows."""
    return min(run.wall, 0.8 if run.task == "download" else run.start_up + 0.3)


# --- charts, for those who can't see them -------------------------------------------------------------------------


def faster(pair: Pair) -> str:
    """ "27.39 times as fast (predicted: 24)" """
    ratio, expected = gain(pair), pair[1].prediction
    outcome = f"{ratio:.2f} times as fast" if ratio > 1 else f"a speed-up of only {ratio:.2f}, so it was slower"
    return f"{outcome} ({f'predicted: {expected.number:g}' if expected else 'not predicted'})"


def walls(pair: Pair) -> str:
    serial, parallel = pair
    return (
        f"Two bars, wall time of the {parallel.task}: {serial.label()} {serial.wall:.1f} s, {parallel.label()} "
        f"{parallel.wall:.1f} s. {faster(pair).capitalize()}."
    )


def at_once(upper: Run, lower: Run) -> str:
    """Title of two timelines above each other."""
    if upper.started == lower.started and upper.task != lower.task:  # two stages at once
        last = upper.outcomes[-1].finished
        early = sum(outcome.finished < last for outcome in lower.outcomes)
        return f"{early} of {len(lower.outcomes)} thumbnails were finished before the last photo arrived"
    return f"Photos in work at once, on average: {upper.overlap:.1f} above, {lower.overlap:.1f} below"


def timeline(upper: Run, lower: Run, seconds: float) -> str:
    parts = (f"{run.task}, {run.label()}, {run.overlap:.1f} photos in work at once" for run in (upper, lower))
    drawn = f"the first and the last {seconds:.2g} s" if 2 * seconds < lower.wall else f"all {lower.wall:.1f} s"
    return f"{at_once(upper, lower)}. Two timelines, {drawn}, a lane for each worker. Above {'; below '.join(parts)}."


def pairs(couples: Sequence[Pair]) -> str:
    found = (f"{p[0].task}: " + ", ".join(f"{run.label()} {run.throughput:.0f}" for run in p) for p in couples)
    return f"Two bars for each stage, throughput in photos per second. {'; '.join(found)}."


def charts(stages: Mapping[str, Pair]) -> list[str]:
    """The charts of these stages that a whole notebook has, in its order."""
    found = [text for pair in stages.values() for text in (walls(pair), timeline(*pair, window(pair[1])))]
    return [*found, *([pairs(list(stages.values()))] if stages else [])]
