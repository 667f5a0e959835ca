"""Every chart of the notebook: what is drawn, its text for those who can't see it, and a sentence on what it shows.

Nothing is measured or decided here. Metadata may be missing or odd; then a sentence says so in place of the chart.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image

from kit import display, sentences
from kit.predictions import Prediction
from kit.runs import Run

# Okabe-Ito colours, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#707070"
COLOURS = {"serial": GREY, "threads": BLUE, "processes": ORANGE, "coroutines": GREEN}
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
        if os.environ.get("NBGRADER_EXECUTION") == "autograde":  # nobody would see it: the student's own chart is kept
            return
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
def downloads_histogram(downloads: pd.Series, edges: np.ndarray) -> Drawn:
    """How often photos were downloaded, on a linear and on a logarithmic axis, with the same number of bins.

    Args:
        edges: of the bins on the logarithmic axis, one more than there are bins.
    """
    positive, bins = downloads[downloads > 0], len(edges) - 1  # a logarithm needs positive numbers
    _, (left, right) = plt.subplots(1, 2)
    counts, _, _ = left.hist(downloads, bins=bins)
    left.set(title="Linear: one crowded corner", xlabel="downloads", ylabel="photos")
    left.ticklabel_format(style="plain")
    left.tick_params(axis="x", rotation=30)
    right.hist(positive, bins=edges)
    right.set(title="Logarithmic: the shape appears", xlabel="downloads", ylabel="photos", xscale="log")
    crowded, (lower, upper) = counts[0] / len(downloads), positive.quantile([0.25, 0.75])
    words = (
        f"Two histograms of the downloads of {len(downloads):,} photos, {bins} bins each. Linear axis: {crowded:.0%} "
        f"of the photos are in the first bin. Logarithmic axis: from {positive.min():,.0f} to {positive.max():,.0f}, "
        f"and half of the photos lie between {lower:,.0f} and {upper:,.0f}."
    )
    return words, (
        f"On the linear axis the first of {bins} bins holds {crowded:.0%} of the photos. The median is "
        f"{downloads.median():,.0f} downloads, the mean {downloads.mean():,.0f}. The logarithmic axis "
        f"leaves out what has 0 downloads: {(downloads == 0).sum()} of them."
    )


@chart
def likes_box(likes: pd.Series, numbers: Sequence[float], outliers: pd.Series) -> Drawn:
    """Box plot of the likes, from their five-number summary."""
    names = ["minimum", "lower quartile", "median", "upper quartile", "maximum"]
    five = pd.Series(list(numbers), names)
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
def aspect_histogram(ratio: pd.Series) -> Drawn:
    """Aspect ratios with their mean, and the share of each orientation."""
    names, mean = ["portrait", "square", "landscape"], ratio.mean()
    shares = pd.cut(ratio, [0, 0.99, 1.01, np.inf], labels=names).value_counts(normalize=True)
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


# --- timed runs ---------------------------------------------------------------------------------------------------


@chart
def naps(alone: Sequence[tuple], together: Sequence[tuple]) -> Drawn:
    """The same naps one after the other and in a pool: a lane for each worker, a bar for each nap.

    Args:
        alone, together: (worker, begin, end) of each nap; times in seconds.
    """
    _, axes = plt.subplots(2, 1, sharex=True, figsize=(8, 2.6), height_ratios=[1, 2])
    walls = []
    for ax, found, colour in zip(axes, (alone, together), (GREY, BLUE), strict=True):
        start, workers = min(began for _, began, _ in found), list(dict.fromkeys(worker for worker, _, _ in found))
        for worker, began, ended in found:
            place = (workers.index(worker) - 0.4, 0.8)
            ax.broken_barh([(began - start, ended - began)], place, color=colour, edgecolor="white")
        walls.append(max(ended for _, _, ended in found) - start)
        ax.set(yticks=[], ylim=(len(workers) - 0.4, -0.6), ylabel=f"{len(workers)} worker{'s' * (len(workers) > 1)}")
    title = f"{len(alone)} naps: {walls[0]:.2f} s one after the other, {walls[1]:.2f} s in a pool"
    axes[0].set_title(title)
    axes[1].set_xlabel("seconds")
    return f"{title}. Two timelines, a lane for each worker, a bar for each nap.", (
        f"Wall time {walls[0]:.2f} s and {walls[1]:.2f} s: a speed-up of {walls[0] / walls[1]:.1f}."
    )


@chart
def three_kinds(walls: Mapping[str, Mapping[str, float]], expected: Mapping[str, float | None]) -> Drawn:
    """Wall times of three kinds of work, each in a loop, in threads and in processes; a diamond: what was predicted.

    Args:
        expected: speed-up in threads that was predicted for each kind, or None.
    """
    _, axes = plt.subplots(1, len(walls), figsize=(8, 2.8), sharey=True)
    words = []
    for ax, (kind, times) in zip(axes, walls.items(), strict=True):
        bars = ax.bar(list(times), list(times.values()), color=[COLOURS[way] for way in times])
        gains = {way: times["serial"] / seconds for way, seconds in times.items() if way != "serial"}
        labels = ["", *(f"{gain:.1f} x" for gain in gains.values())]
        for text, way in zip(ax.bar_label(bars, labels, label_type="center", fontweight="bold"), times, strict=True):
            text.set_color("black" if way == "processes" else "white")  # what can be read on its colour
        if prediction := expected.get(kind):
            ax.plot("threads", times["serial"] / prediction, "D", color=VERMILION, markersize=8)
        ax.set_title(kind)
        words.append(f"{kind}: speed-up {listed(gains, '.1f')}, predicted in threads {prediction or 'nothing'}")
    axes[0].set_ylabel("wall time (s)")
    note = "Diamonds: what you predicted for threads." if any(expected.values()) else "Threads: not predicted yet."
    return f"Three bar charts of wall times, serial, threads, processes. {'; '.join(words)}.", note


@chart
def walls(baseline: Run, other: Run) -> Drawn:
    """Wall times of two runs of a stage, as bars; a diamond: what was predicted."""
    _, ax = plt.subplots(figsize=(8, 2.2))
    runs = [other, baseline]
    ax.barh(["parallel", "serial"], [run.wall for run in runs], color=[COLOURS[run.mode] for run in runs])
    foreseen = baseline.wall / other.prediction.number if other.prediction else 0
    if other.prediction:
        ax.plot(foreseen, 0, "D", color=VERMILION, markersize=8)
    for row, (run, right) in enumerate(zip(runs, (max(other.wall, foreseen), baseline.wall), strict=True)):
        ax.annotate(f"    {run.label()}: {run.wall:.1f} s, {run.throughput:.0f} photos/s", (right, row), va="center")
    ax.set(title=f"{other.task.capitalize()} with {other.label()}: {sentences.faster((baseline, other))}",
           xlabel="wall time in seconds (shorter is better)" + "; diamond: predicted" * bool(other.prediction),
           xlim=(0, max(baseline.wall, other.wall, foreseen) * 1.4))  # fmt: skip
    return sentences.walls((baseline, other)), ""


def lanes(ax: Axes, run: Run, first: float, last: float) -> None:
    """One lane for each worker, one bar for each item; faint: waiting for the first byte."""
    found: dict[str, int] = {}  # worker -> lane, in the order in which they began
    for outcome in sorted(run.outcomes, key=lambda outcome: outcome.started):
        lane = found.setdefault(outcome.worker, len(found))
        start, end = outcome.started - run.started, outcome.finished - run.started
        if start < last and end > first:
            colour, place = COLOURS[run.mode], (lane - 0.4, 0.8)
            ax.broken_barh([(start, outcome.waited)], place, color=colour, alpha=0.3, linewidth=0)
            rest = start + outcome.waited, end - start - outcome.waited
            ax.broken_barh([rest], place, color=colour, edgecolor="white", linewidth=0.3)
    ax.set(xlim=(first, last), yticks=[], ylim=(len(found) - 0.4, -0.6))


@chart
def timeline(upper: Run, lower: Run, seconds: float = 0) -> Drawn:
    """The beginning and the end of two runs, above each other: serial and parallel, or two stages at once.

    Args:
        seconds: how much of the beginning and of the end is drawn; if it is most of it, all is drawn at once; 0: what
            shows the start of the workers.
    """
    seconds = seconds or sentences.window(lower)
    heights = [1 + run.workers / 8 for run in (upper, lower)]
    whole, both = lower.wall, 2 * seconds < lower.wall
    windows = [(0.0, seconds), (whole - seconds, whole)] if both else [(0.0, whole)]
    _, axes = plt.subplots(2, len(windows), sharex="col", sharey="row", squeeze=False,
                           figsize=(8, 1 + sum(heights) / 2), height_ratios=heights)  # fmt: skip
    axes[0, 0].set_title(sentences.at_once(upper, lower))
    for column, window in enumerate(windows):
        for row, run in enumerate((upper, lower)):
            lanes(axes[row, column], run, *window)
            axes[row, 0].set_ylabel(run.label().replace(" ", "\n"))
    axes[1, 0].set_xlabel(f"seconds: the first {seconds:.2g}" if both else "seconds since the start")
    axes[1, -1].set_xlabel(f"the last {seconds:.2g}" if both else axes[1, 0].get_xlabel())
    meaning = "Faint: waiting for the first byte. Solid: receiving and saving." if upper.task == "download" else ""
    return sentences.timeline(upper, lower, seconds), meaning


@chart
def photos_and_thumbnails(photos: Sequence[Path], thumbnails: Sequence[Path], words: pd.Series) -> Drawn:
    """One photo beside its thumbnail at the same scale, and a selection of the other thumbnails.

    Args:
        words: what a photo shows, by id.
    """
    columns, rows, gap = 9, 3, 60
    both: Any = plt.figure(figsize=(8, 6)).subfigures(2, 1, height_ratios=[3, 2.6])
    ax, grid, left, sizes = both[0].subplots(), both[1].subplots(rows, columns), 0, []
    for path in (photos[0], next((path for path in thumbnails if path.stem == photos[0].stem), thumbnails[0])):
        with Image.open(path) as image:
            sizes.append(image.size)
            width, height = image.size
            ax.imshow(image, extent=(left, left + width, height, 0), interpolation="lanczos")
        label = f"{width} x {height} pixels, {path.stat().st_size / 1e3:,.0f} kB"
        ax.annotate(label, (left, height), xytext=(0, -14), textcoords="offset points")
        left += width + gap
    ax.set(xlim=(0, left + 500), ylim=(sizes[0][1], 0), anchor="W")
    ax.axis("off")
    chosen = thumbnails[:: max(1, len(thumbnails) // (columns * rows))][: columns * rows]
    for ax in grid.flat:
        ax.axis("off")
    for ax, path in zip(grid.flat, chosen, strict=False):
        with Image.open(path) as image:
            ax.imshow(image)
    seen = "; ".join([str(words[path.stem]) for path in chosen if path.stem in words][:8])
    totals = [sum(path.stat().st_size for path in paths) / 1e6 for paths in (photos, thumbnails)]
    return (
        f"A photo of {sizes[0][0]} x {sizes[0][1]} pixels beside its thumbnail of {sizes[1][0]} x {sizes[1][1]}, and "
        f"{len(chosen)} other thumbnails; among them: {seen}."
    ), (
        f"{len(photos):,} photos with {totals[0]:,.1f} MB in images/, {len(thumbnails):,} thumbnails with "
        f"{totals[1]:,.1f} MB in thumbnails/."
    )


@chart
def pairs(couples: Sequence[tuple[Run, Run]]) -> Drawn:
    """For each stage two bars, the throughput of its serial and of its parallel run."""
    _, axes = plt.subplots(1, len(couples), figsize=(8, 2.8), squeeze=False)
    for ax, runs in zip(axes.flat, couples, strict=True):
        rates = [run.throughput for run in runs]
        bars = ax.bar([run.label() for run in runs], rates, color=[COLOURS[run.mode] for run in runs], width=0.6)
        ax.bar_label(bars, [f"{rate:.0f}" for rate in rates])
        ax.set(title=f"{runs[0].task.capitalize()}: speed-up {sentences.gain(runs):.2f}", ylabel="photos/s")
    return sentences.pairs(couples), ""


@chart
def scaling(runs: Sequence[tuple[int, Run]], title: str, bend: Prediction | None = None) -> Drawn:
    """Throughput by number of workers: every repetition a dot, a line through the medians, the ideal dashed.

    Args:
        bend: where the curve was predicted to bend.
    """
    _, ax = plt.subplots(figsize=(8, 3.8))
    seen, counts = [], sorted({count for count, _ in runs})
    for kind, mark, shift, side in (("threads", "^", 9, ("right", "bottom")), ("processes", "s", -16, ("left", "top"))):
        points = [(count, run.throughput) for count, run in runs if run.mode == kind]
        if not points:
            continue
        frame = pd.DataFrame(points, columns=["workers", "rate"])
        medians = frame.groupby("workers")["rate"].median()
        seen.append(f"{kind} " + ", ".join(f"{count}: {rate:.0f}" for count, rate in medians.items()))
        ax.plot(frame["workers"], frame["rate"], mark, color=COLOURS[kind], alpha=0.5, markersize=5)
        ax.plot(medians, color=COLOURS[kind])
        for count, rate in medians.items():
            ax.annotate(f"{rate:.0f}", (count, rate), xytext=(0, shift), textcoords="offset points", ha="center")
        ideal = medians.iloc[0] / medians.index[0] * medians.index
        ax.annotate(f"   {kind}", (medians.index[-1], medians.iloc[-1]), va="center")
        ax.plot(medians.index, ideal, "--", color=GREY, linewidth=1)
        ax.annotate(f"ideal for {kind}", (medians.index[-1], ideal[-1]), color=GREY, ha=side[0], va=side[1])
    if bend:
        ax.axvline(bend.number, color=VERMILION, linestyle=":")
        ax.text(bend.number, 0.03, " predicted bend", transform=ax.get_xaxis_transform(), color=VERMILION)
    ax.set(title=title, xlabel="number of workers (log scale)", ylabel="photos per second (log scale)",
           xscale="log", yscale="log", xticks=counts)  # fmt: skip
    ax.set_xticklabels(map(str, counts))
    ax.minorticks_off()
    ax.margins(x=0.12, y=0.15)
    return f"{title}. Median photos per second by number of workers: {'; '.join(seen)}.", ""
