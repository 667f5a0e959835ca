"""The models of benchmarks/growth.py by hand, and what benchmarks/load.py measures of few photos."""

from __future__ import annotations

from pathlib import Path

import pytest

import practice
from benchmarks import common, grading, growth, load

EACH = growth.Each(photo=150e3, thumbnail=5e3, disk=4e3, memory=10e3, cpu=0.005, download=0.002, resize=0.004)


def test_the_largest_run_is_compared_with_the_line_through_the_others() -> None:
    rounds = {
        "1,500": [{"items": 1_500, "wall": wall} for wall in (4.0, 3.0, 9.0)],  # median 4 s
        "5,000": [{"items": 5_000, "wall": 11.0}],
        "25,000": [{"items": 25_000, "wall": wall} for wall in (51.0, 56.1, 25.5)],  # 1 s + 25,000 x 2 ms = 51 s
    }
    assert growth.beyond(rounds, "wall") == pytest.approx([1.0, 1.1, 0.5])


def test_a_class_is_told_by_how_much_it_misses_the_line_through_smaller_ones() -> None:
    sizes = {10: (20.0, 100.0), 20: (40.0, 110.0), 80: (176.0, 170.0)}  # the lines give 160 s and 170 MB for 80
    reports = {str(n): [{"items": n, "seconds": seconds, "MB": mb}] for n, (seconds, mb) in sizes.items()}
    graded = {grading.OURS: reports["80"], grading.PLAIN: reports["10"], f"{grading.OURS}, 10": reports["10"],
              f"{grading.OURS}, 20": reports["20"], f"{grading.OURS}, 30": "failed: no reason"}  # fmt: skip
    table = growth.class_words(reports, grading.by_size(graded))["table"]
    assert "| class report | 10 and 20 | 80 | +10% | +0% |" in table
    assert "| grading | 10 and 20 | 80 | +10% |  |" in table


def test_a_forecast_computed_by_hand() -> None:
    need = growth.forecast(EACH, 1_000_000)
    assert need["files (GB)"] == pytest.approx(159)
    assert need["records in memory, if all are held at once (GB)"] == pytest.approx(10)
    assert need["API requests"] == 33_334
    assert need["hours of quota, demo key, 50 an hour"] == pytest.approx(666.68)
    assert need["hours of quota, production key, 5,000 an hour"] == pytest.approx(6.6668)
    assert need["hours of transfer at 100 Mbit/s"] == pytest.approx(12_000 / 3600)
    assert need["hours of transfer at 1 Gbit/s"] == pytest.approx(1_200 / 3600)
    assert need["hours of CPU time"] == pytest.approx(5_000 / 3600)
    assert need["hours of download on this machine"] == pytest.approx(2_000 / 3600)
    assert need["hours of resize on this machine"] == pytest.approx(4_000 / 3600)
    assert need["machines like this one for one day"] == 1
    assert growth.forecast(EACH, 29_600_000)["machines like this one for one day"] == 3  # 177,600 s


@pytest.mark.parametrize("later", [0.0, 2.0, 60.0])
@pytest.mark.parametrize("items", [200, 100_000])
@pytest.mark.parametrize("workers", [3, 8, 128])
def test_where_a_cluster_begins_to_pay_both_take_as_long(later: float, items: int, workers: int) -> None:
    """By T = S + N max(o, c / w): the hand-out hides behind the work, or the work behind the hand-out."""
    processes, overhead = 2, 0.002
    cost = growth.pays(later, overhead, workers, processes, items)
    assert items * cost / processes == pytest.approx(later + items * max(overhead, cost / workers))
    more = 1.01 * cost
    assert items * more / processes > later + items * max(overhead, more / workers)


def test_few_photos_are_measured_and_nothing_is_left(
    server: practice.PracticeServer, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "practice").symlink_to(pictures, target_is_directory=True)
    found = load.measure(common.Options(rounds=1, photos=12, cache=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["practice"]
    assert list(found["rounds"]) == ["12", "40", "200"]
    for size, (one,) in found["rounds"].items():
        assert one["items"] == int(size)
        assert one["photo"] > 10 * one["thumbnail"] > 0  # of each single drawing
        assert 0 < max(one["download"], one["resize"]) < one["seconds"] and one["cpu"] > 0
        assert one["MB"] > one["MB of a worker"] > 1
    words = growth.words(found)
    assert words["each"].photo == pytest.approx(one["photo"] / 200)
    assert 1_000 < words["each"].disk < 20_000


def test_without_room_on_the_disk_it_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(common.Refused, match="GB of free disk"):
        load.measure(common.Options(photos=10**12, cache=tmp_path))
    assert not list(tmp_path.iterdir())
