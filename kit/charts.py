"""Every chart of the notebook: what is drawn, its text for those who can't see it, and a sentence on what it shows.

Nothing is measured or decided here. Metadata may be missing or odd; then a sentence says so in place of the chart.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image

from kit import display
from kit.runs import Run

# Okabe-Ito colours, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#707070"
COLOURS = {"serial": GREY, "threads": BLUE, "processes": ORANGE, "coroutines": GREEN}
MARKERS = {"serial": "o", "threads": "^", "processes": "s", "coroutines": "D"}
STYLE: dict[Any, object] = {
    "figure.figsize": (8, 3.6), "figure.dpi": 110, "figure.constrained_layout.use": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
    "axes.titlesize": 12, "axes.titleweight": "bold", "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN]),
}  # fmt: skip

Arguments = ParamSpec("Arguments")
Drawn = tuple[str, str]  # the chart in words ("" if nothing could be drawn), and a sentence below it


def chart(draw: Callable[Arguments, Drawn]) -> Callable[Arguments, None]:
    """Decorator: draw in the common style, then show the chart with its text and the sentence."""

    @functools.wraps(draw)
    def shown(*arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        with plt.rc_context(STYLE):
            words, sentence = draw(*arguments, **named)
            if words:
                display.show(words)
        if sentence:
            display.say(sentence)

    return shown


def listed(numbers: Mapping | pd.Series, form: str = ",.0f", between: str = ", ") -> str:
    """ "Canon 346, SONY 250, ...": names with their numbers."""
    return between.join(f"{name} {number:{form}}" for name, number in numbers.items())


# --- metadata -----------------------------------------------------------------------------------------------------


@chart
def downloads_histogram(downloads: pd.Series, bins: int) -> Drawn:
    """How often photos were downloaded, on a linear and on a logarithmic axis, with the same number of bins."""
    positive = downloads[downloads > 0]  # a logarithm needs positive numbers
    if positive.empty:
        return "", "No photo says how often it was downloaded."
    _, (left, right) = plt.subplots(1, 2)
    counts, _, _ = left.hist(downloads, bins=bins)
    left.set(title="Linear: one crowded corner", xlabel="downloads", ylabel="photos")
    left.ticklabel_format(style="plain")
    left.tick_params(axis="x", rotation=30)
    right.hist(positive, bins=np.geomspace(positive.min(), positive.max() + 1, bins + 1))
    right.set(title="Logarithmic: the shape appears", xlabel="downloads", ylabel="photos", xscale="log")
    crowded, (lower, upper) = counts[0] / len(downloads), positive.quantile([0.25, 0.75])
    words = (
        f"Two histograms of the downloads of {len(downloads):,} photos, {bins} bins each. Linear axis: {crowded:.0%} "
        f"of the photos are in the first bin. Logarithmic axis: from {positive.min():,.0f} to {positive.max():,.0f}, "
        f"and half of the photos lie between {lower:,.0f} and {upper:,.0f}."
    )
    return words, (
        f"On the linear axis the first of {bins} bins holds {crowded:.0%} of the photos. The median is "
        f"{downloads.median():,.0f} downloads, the mean {downloads.mean():,.0f}. {(downloads == 0).sum()} photos with "
        "0 downloads are missing on the logarithmic axis."
    )


@chart
def likes_box(likes: pd.Series, five: pd.Series, outliers: pd.Series) -> Drawn:
    """Box plot of the likes, from their five-number summary."""
    if likes.empty:
        return "", "No photo says how often it was liked."
    _, ax = plt.subplots(figsize=(8, 2.4))
    ax.annotate(f"median {five['median']:.0f}", (five["median"], 1.3), ha="center", va="bottom")
    ax.boxplot(likes, orientation="horizontal", widths=0.5, flierprops={"marker": "o", "markersize": 3, "alpha": 0.5})
    ax.set(title=f"Half of the photos have {five.iloc[1]:.0f} to {five.iloc[3]:.0f} likes", xscale="symlog",
           xlabel="likes (log scale, linear below 2)", xlim=(0, None), ylim=(0.6, 1.55), yticks=[])  # fmt: skip
    words = f"Box plot of likes: {listed(five)}. Outliers, drawn as dots: {len(outliers)}."
    return words, (
        f"Outliers: {len(outliers)} of {len(likes):,} photos ({len(outliers) / len(likes):.1%}), "
        f"{(outliers > five['median']).sum()} of them above the box. The most liked photo has {likes.max():,.0f} likes."
    )


@chart
def aspect_histogram(ratio: pd.Series, shares: pd.Series) -> Drawn:
    """Aspect ratios with their mean, and the share of each orientation."""
    if ratio.isna().all():
        return "", "No photo says how large it is."
    mean = ratio.mean()
    _, ax = plt.subplots(figsize=(8, 2.8))
    ax.hist(ratio.dropna(), bins=60)
    ax.axvline(mean, color=VERMILION, linestyle="--")
    ax.annotate(f" mean {mean:.2f}", (mean, ax.get_ylim()[1] * 0.9), color=VERMILION)
    ax.set(title=f"{shares.iloc[0]:.0%} of the photos are {shares.index[0]}s", xlabel="width / height", ylabel="photos")
    found = ", ".join(f"{share:.1%} {name}" for name, share in shares.items())
    words = f"Histogram of the aspect ratio: {found}. A dashed line marks the mean, {mean:.2f}."
    return words, f"The average aspect ratio is {mean:.3f}: {found}."


@chart
def colour_swatches(counts: pd.Series, photos: int) -> Drawn:
    """One swatch for each dominant colour ("#rrggbb"), with the number of its photos."""
    if counts.empty:
        return "", "No photo names its colour."
    rows = min(-(-len(counts) // 12), 8)
    fig, axes = plt.subplots(rows, 12, figsize=(8, 0.4 + 0.7 * rows), squeeze=False)
    title = f"{counts.iloc[0] / photos:.0%} of the photos share one colour, {counts.index[0]}"
    fig.suptitle(title, x=0, ha="left", fontsize=12, fontweight="bold")
    for ax in axes.flat:
        ax.axis("off")
    for ax, (colour, count) in zip(axes.flat, counts.items(), strict=False):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        ink = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 130 else "black"  # as bright as the eye sees it
        ax.add_patch(plt.Rectangle((0, 0), 1, 1, color=colour))
        ax.text(0.5, 0.6, count, ha="center", va="center", color=ink)
        ax.text(0.5, 0.25, colour, ha="center", va="center", color=ink, fontsize=7)
    words = (
        f"{min(len(counts), 12 * rows)} swatches, one for each dominant colour, with the number of its photos. Most of "
        f"all: {listed(counts.head(5))}."
    )
    most = f"The most frequent is {counts.index[0]} with {counts.iloc[0]} photos."
    return words, f"There are {len(counts)} unique colours. {most}"


@chart
def camera_bars(makes: pd.Series) -> Drawn:
    """Photos by make of the camera, the ten most frequent ones."""
    counts = makes.value_counts().head(10)
    if counts.empty:
        return "", "No photo names its camera."
    _, ax = plt.subplots()
    ax.bar_label(ax.barh(range(len(counts)), counts), padding=3)
    ax.set_yticks(range(len(counts)), counts.index, parse_math=False)  # a $ in a name is just that
    ax.invert_yaxis()
    title = f"{counts.index[0]} leads; {makes.isna().mean():.0%} of the photos don't name a camera"
    ax.set_title(title, parse_math=False)
    ax.set_xlabel("photos")
    return f"Bar chart, photos by make of the camera: {listed(counts)}.", (
        f"{makes.nunique()} makes appear in {makes.notna().sum():,} photos; {makes.isna().sum():,} have no camera data."
    )


@chart
def upload_bars(dates: pd.Series) -> Drawn:
    """Photos by year of upload."""
    dates = dates.dropna()
    if dates.empty:
        return "", "No photo says when it was uploaded."
    per_year = dates.dt.year.value_counts().sort_index()
    _, ax = plt.subplots(figsize=(8, 2.8))
    ax.bar_label(ax.bar(per_year.index.astype(str), per_year))
    ax.set(title=f"Half of the photos are from {dates.median():%B %Y} or later", ylabel="photos uploaded")
    return f"Bar chart, photos by year of upload: {listed(per_year)}.", (
        f"The oldest photo was uploaded on {dates.min():%d %B %Y}, the newest on {dates.max():%d %B %Y}."
    )


# --- timed runs ---------------------------------------------------------------------------------------------------


@chart
def walls(baseline: Run, other: Run) -> Drawn:
    """Wall times of two runs of a stage, as bars."""
    ratio = baseline.wall / other.wall
    _, ax = plt.subplots(figsize=(8, 2.2))
    runs = [other, baseline]
    bars = ax.barh(["parallel", "serial"], [run.wall for run in runs], color=[COLOURS[run.mode] for run in runs])
    ax.bar_label(bars, [f" {run.label()}: {run.wall:.1f} s, {run.throughput:.0f} photos/s" for run in runs])
    outcome = f"{ratio:.2f} times as fast" if ratio > 1 else f"a speed-up of only {ratio:.2f}, so it was slower"
    ax.set(title=f"{other.task.capitalize()} with {other.label()}: {outcome}",
           xlabel="wall time in seconds (shorter is better)",
           xlim=(0, max(baseline.wall, other.wall) * 1.4))  # fmt: skip
    return (
        f"Two bars, wall time of the {other.task}: {baseline.label()} {baseline.wall:.1f} s, {other.label()} "
        f"{other.wall:.1f} s. {outcome.capitalize()}."
    ), ""


def lanes(ax: Axes, run: Run, seconds: float) -> None:
    """One lane for each worker, one bar for each item; faint: waiting for the first byte."""
    found: dict[str, int] = {}  # worker -> lane, in the order in which they began
    for outcome in sorted(run.outcomes, key=lambda outcome: outcome.started):
        lane = found.setdefault(outcome.worker, len(found))
        start, waited = outcome.started - run.started, outcome.waited
        if start < seconds:
            colour, place = COLOURS[run.mode], (lane - 0.4, 0.8)
            ax.broken_barh([(start, waited)], place, color=colour, alpha=0.3, linewidth=0)
            rest = start + waited, outcome.finished - outcome.started - waited
            ax.broken_barh([rest], place, color=colour, edgecolor="white", linewidth=0.3)
    ax.set(xlim=(0, seconds), yticks=[], ylabel=run.label().replace(" ", "\n"), ylim=(len(found) - 0.4, -0.6))


@chart
def timeline(upper: Run, lower: Run, seconds: float) -> Drawn:
    """The first seconds of two runs, above each other on one axis: serial and parallel, or two stages at once."""
    heights = [1 + run.workers / 8 for run in (upper, lower)]
    _, axes = plt.subplots(2, 1, sharex=True, figsize=(8, 1 + sum(heights) / 2), height_ratios=heights)
    title = f"Photos in work at once, on average: {upper.overlap:.1f} above, {lower.overlap:.1f} below"
    if upper.started == lower.started:  # two stages at once
        last = upper.outcomes[-1].finished
        early = sum(outcome.finished < last for outcome in lower.outcomes)
        title = f"{early} of {len(lower.outcomes)} thumbnails were finished before the last photo arrived"
    axes[0].set_title(title)
    meaning = "; faint: waiting for the first byte, solid: receiving and saving" if upper.task == "download" else ""
    axes[1].set_xlabel(f"seconds since the start (the first {seconds:.1f} s){meaning}")
    for ax, run in zip(axes, (upper, lower), strict=True):
        lanes(ax, run, seconds)
    parts = (f"{run.task}, {run.label()}, {run.overlap:.1f} photos in work at once" for run in (upper, lower))
    return f"{title}. Two timelines of {seconds:.1f} s, a lane for each worker. Above {'; below '.join(parts)}.", ""


@chart
def contact_sheet(paths: Sequence[Path], what: str, words: pd.Series, columns: int = 8, rows: int = 4) -> Drawn:
    """A selection of image files, side by side.

    Args:
        words: what a photo shows, by id.
    """
    _, axes = plt.subplots(rows, columns, figsize=(8, rows * 1.05))
    for ax in axes.flat:
        ax.axis("off")
    chosen = paths[:: max(1, len(paths) // (columns * rows))][: columns * rows]
    for ax, path in zip(axes.flat, chosen, strict=False):
        with Image.open(path) as image:
            image.draft("RGB", (300, 300))
            ax.imshow(image)
    seen = "; ".join([str(words[path.stem]) for path in chosen if path.stem in words][:8])
    total = sum(path.stat().st_size for path in paths)
    return f"{len(chosen)} of the {len(paths):,} {what}, {columns} in a row; among them: {seen}.", (
        f"{len(paths):,} {what}, from this run: {total / 1e6:,.1f} MB, {total / len(paths) / 1e3:.1f} kB on average."
    )


@chart
def throughputs(runs: Sequence[Run], speed_ups: Mapping[str, float]) -> Drawn:
    """Throughput of all runs, as dots on a logarithmic axis."""
    _, ax = plt.subplots(figsize=(8, 3))
    for position, run in enumerate(reversed(runs)):
        ax.plot(run.throughput, position, MARKERS[run.mode], color=COLOURS[run.mode], markersize=10)
        ax.annotate(f"   {run.throughput:.0f} photos/s in {run.wall:.1f} s", (run.throughput, position), va="center")
    ax.grid(axis="y", alpha=0.4)
    ax.set(title=f"Speed-up in parallel: {listed(speed_ups, '.2f')}" if speed_ups else "Serial runs only",
           xscale="log", xlabel="photos per second (log scale, more is better)",
           xlim=(min(run.throughput for run in runs) / 2, max(run.throughput for run in runs) * 8),
           ylim=(-0.6, len(runs) - 0.4), yticks=range(len(runs)),
           yticklabels=[f"{run.task}, {run.label()}" for run in reversed(runs)])  # fmt: skip
    rates = {f"{run.task}, {run.label()}:": run.throughput for run in runs}
    return f"Throughput of all runs in photos/s, one dot each. {listed(rates, '.0f', '; ')}.", ""


@chart
def scaling(runs: Sequence[tuple[int, Run]], title: str) -> Drawn:
    """Throughput by number of workers: every repetition a dot, a line through the medians, the ideal dashed."""
    _, ax = plt.subplots(figsize=(8, 3.8))
    seen, counts = [], sorted({count for count, _ in runs})
    for kind, shift, side in (("threads", 9, ("right", "bottom")), ("processes", -16, ("left", "top"))):
        points = [(count, run.throughput) for count, run in runs if run.mode == kind]
        if not points:
            continue
        frame = pd.DataFrame(points, columns=["workers", "rate"])
        medians = frame.groupby("workers")["rate"].median()
        seen.append(f"{kind} " + ", ".join(f"{count}: {rate:.0f}" for count, rate in medians.items()))
        ax.plot(frame["workers"], frame["rate"], MARKERS[kind], color=COLOURS[kind], alpha=0.5, markersize=5)
        ax.plot(medians, color=COLOURS[kind])
        for count, rate in medians.items():
            ax.annotate(f"{rate:.0f}", (count, rate), xytext=(0, shift), textcoords="offset points", ha="center")
        ideal = medians.iloc[0] / medians.index[0] * medians.index
        ax.annotate(f"   {kind}", (medians.index[-1], medians.iloc[-1]), va="center")
        ax.plot(medians.index, ideal, "--", color=GREY, linewidth=1)
        ax.annotate(f"ideal for {kind}", (medians.index[-1], ideal[-1]), color=GREY, ha=side[0], va=side[1])
    ax.set(title=title, xlabel="number of workers (log scale)", ylabel="photos per second (log scale)",
           xscale="log", yscale="log", xticks=counts)  # fmt: skip
    ax.set_xticklabels(map(str, counts))
    ax.minorticks_off()
    ax.margins(x=0.12, y=0.15)
    return f"{title}. Median photos per second by number of workers: {'; '.join(seen)}.", ""
