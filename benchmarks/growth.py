"""What follows from the measurements for 25,000 and for a million photos, for a class, and when a cluster pays.

Nothing is measured here: the figures are those of the other parts. The page is made of growth.md, classes.md and
cluster.md in pages/.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import helpers
from benchmarks.common import Round, Rounds, markdown

GOALS = {"Unsplash Lite": 25_000, "a million": 1_000_000}
QUOTAS = {"demo key": 50, "production key": 5_000}  # API requests per hour
BANDWIDTHS = {"100 Mbit/s": 100e6, "1 Gbit/s": 1e9}  # bits per second
ITEMS = (200, 1_500, 100_000)  # for the question whether a cluster pays


def beyond(rounds: Rounds, stage: str) -> list[float]:
    """The last tool's rounds, as multiples of what the straight line through the others' medians predicts for it."""
    *fitted, largest = rounds.values()
    points = [(found[0]["items"], statistics.median(one[stage] for one in found)) for found in fitted]
    slope, start = statistics.linear_regression(*zip(*points, strict=True))
    return [one[stage] / (start + slope * one["items"]) for one in largest]


@dataclass(frozen=True)
class Each:
    """What one photo needs: bytes, and seconds of this machine, which first downloads and then resizes."""

    photo: float
    thumbnail: float
    disk: float  # of the metadata
    memory: float  # of the metadata
    cpu: float
    download: float
    resize: float


def forecast(each: Each, photos: int) -> dict[str, float]:
    """What so many photos need: GB, API requests, hours, and machines like this one for one day."""
    requests = math.ceil(photos / helpers.PER_PAGE)
    return {
        "files (GB)": photos * (each.photo + each.thumbnail + each.disk) / 1e9,
        "records in memory, if all are held at once (GB)": photos * each.memory / 1e9,
        "API requests": requests,
        **{f"hours of quota, {name}, {quota:,} an hour": requests / quota for name, quota in QUOTAS.items()},
        **{f"hours of transfer at {name}": photos * each.photo * 8 / bits / 3600 for name, bits in BANDWIDTHS.items()},
        "hours of CPU time": photos * each.cpu / 3600,
        "hours of download on this machine": photos * each.download / 3600,
        "hours of resize on this machine": photos * each.resize / 3600,
        "machines like this one for one day": math.ceil(photos * (each.download + each.resize) / 86_400),
    }


def pays(later: float, overhead: float, workers: int, processes: int, items: int) -> float:
    """From which cost of an item (seconds) on a cluster is faster than a process pool.

    Args:
        later: seconds that the cluster takes longer to start.
        overhead: seconds that each item costs its scheduler; the pool's handing out hides behind its work.
    """
    late = later / items
    return max(processes * (overhead + late), late / (1 / processes - 1 / workers))


def median(rounds: list[Round], key: str) -> float:
    return statistics.median(one[key] for one in rounds)


def _rounded(value: float) -> str:
    return f"{value:,.{0 if value >= 100 or isinstance(value, int) else 2}f}"


def words(load: dict) -> dict[str, object]:
    """What the page says of many photos."""
    rounds, (records,) = load["rounds"], load["metadata"].values()
    *fitted, largest = rounds
    photos = rounds[largest][0]["items"]
    runs = {key: median(rounds[largest], key) / photos for key in ("photo", "thumbnail", "cpu", "download", "resize")}
    each = Each(**runs, **{key: median(records, key) / records[0]["items"] for key in ("disk", "memory")})
    needs, machine = [forecast(each, goal) for goal in GOALS.values()], each.download + each.resize
    head = ["", *(f"{name}: {goal:,}" for name, goal in GOALS.items())]
    rows = [[name, *(_rounded(one[name]) for one in needs)] for name in needs[0]]
    return {
        "each": each, "largest": largest, "fitted": " and ".join(fitted), "page": helpers.PER_PAGE,
        "cpu": each.cpu * 1e3, "machine": machine * 1e3, "forecast": "\n".join(markdown(head, rows)),
        **{name: statistics.median(beyond(rounds, key)) - 1 for name, key in (
            ("download", "download"), ("resize", "resize"), ("both", "cpu"))},
        "quota": 3600 / (helpers.PER_PAGE * machine), "bandwidth": each.photo * 8 / machine / 1e6,
        "memory": load["memory"] / 1e9, "full": load["memory"] / each.memory,
    }  # fmt: skip


def class_words(reports: Rounds, grading: Rounds) -> dict[str, object]:
    """What the page says of a class: by how much the largest one misses the line through the smaller ones."""
    rows = []
    for what, rounds, keys in (("class report", reports, ("seconds", "MB")), ("grading", grading, ("seconds",))):
        *fitted, largest = (f"{found[0]['items']:,}" for found in rounds.values())
        missed = (f"{round(statistics.median(beyond(rounds, key)) - 1, 2) + 0:+.0%}" for key in keys)  # no "-0%"
        rows.append([what, " and ".join(fitted), largest, *missed])
    return {"table": "\n".join(markdown(["", "fitted on", "tested on", "seconds", "MB"], rows))}


def cluster_words(pool: list[Round], cluster: list[Round], workers: int) -> dict[str, object]:
    """What the page says of a cluster."""
    later = median(cluster, "start-up") - median(pool, "start-up")
    overhead, items = median(cluster, "overhead"), pool[0]["items"]
    share, measured = (median(rounds, "seconds") / items for rounds in (pool, cluster))
    counts = [workers * factor for factor in (2, 4, 16, 64)]
    rows = [[str(w), *(f"{1e3 * pays(later, overhead, w, workers, n):,.1f}" for n in ITEMS)] for w in counts]
    return {
        "workers": workers, "later": later, "overhead": 1e3 * overhead, "cost": 1e3 * workers * share,
        "table": "\n".join(markdown(["w", *(f"N = {n:,}" for n in ITEMS)], rows)), "busy": workers * share / overhead,
        "low": 1e3 * max(overhead, share), "high": 1e3 * (overhead + share), "measured": 1e3 * measured,
    }  # fmt: skip
