"""The model of benchmarks/growth.py: its formulae by hand, and the measurement with few photos."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import until

import practice

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import growth  # noqa: E402

EACH = growth.Each(photo=150e3, thumbnail=5e3, metadata=4e3, record=10e3, cpu=0.005, wall=0.006, cpus=2)


def test_a_line_goes_through_two_points() -> None:
    line = growth.fit({1_500: 4.0, 5_000: 11.0})
    assert (line.fixed, line.each) == (pytest.approx(1.0), pytest.approx(0.002))
    assert line(25_000) == pytest.approx(51.0)


def test_the_deviation_is_relative_to_the_prediction() -> None:
    line = growth.Line(1.0, 0.002)
    assert growth.deviation(line, 25_000, 51.0) == pytest.approx(0)
    assert growth.deviation(line, 25_000, 56.1) == pytest.approx(0.1)
    assert growth.deviation(line, 25_000, 25.5) == pytest.approx(-0.5)


def test_a_forecast_computed_by_hand() -> None:
    need = growth.forecast(EACH, 1_000_000)
    assert need["disk"] == pytest.approx(159e9)
    assert need["memory"] == pytest.approx(10e9)
    assert need["requests"] == 33_334
    assert need["quota, demo key"] == pytest.approx(666.68)
    assert need["quota, production key"] == pytest.approx(6.6668)
    assert need["transfer, 100 Mbit/s"] == pytest.approx(12_000 / 3600)
    assert need["transfer, 1 Gbit/s"] == pytest.approx(1_200 / 3600)
    assert need["CPU"] == pytest.approx(2_500 / 3600)
    assert need["hours"] == pytest.approx(6_000 / 3600)
    assert need["workers"] == 1
    assert growth.forecast(EACH, 7_400_000 * 4)["workers"] == math.ceil(7.4e6 * 4 * 0.006 / 86_400) == 3


@pytest.mark.parametrize(
    ("quota", "bandwidth", "machines", "name"),
    [
        ("demo key", "1 Gbit/s", 1, "quota"),
        ("production key", "100 Mbit/s", 1, "quota"),
        (None, "100 Mbit/s", 1, "bandwidth"),  # 12 ms a photo, against 6 ms
        (None, "1 Gbit/s", 1, "computing"),  # 1.2 ms against 6 ms
        (None, "1 Gbit/s", 10, "bandwidth"),  # 1.2 ms against 0.6 ms
    ],
)
def test_what_takes_longest_is_the_limit(quota: str | None, bandwidth: str, machines: int, name: str) -> None:
    assert growth.limit(growth.forecast(EACH, 25_000), quota, bandwidth, machines)[0] == name


def test_at_the_turning_points_two_limits_are_equal() -> None:
    turn = growth.turning_points(EACH)
    assert turn["quota"] == pytest.approx(20_000)  # requests an hour: 30 photos in 0.18 s
    assert turn["bandwidth"] == pytest.approx(200e6)  # 1.2 Mbit in 6 ms


def test_the_memory_of_a_child_that_lives_long_enough_is_seen() -> None:
    stage: dict[str, float] = {}
    with growth.watched(stage), subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        until(lambda: stage["worker"] > 1e6, "the memory of the child was noted")
        child.communicate(b"\n")
    assert child.returncode == 0 and stage["wall"] > 0


def test_the_measurement_does_all_the_work_and_leaves_nothing(
    server: practice.PracticeServer, pictures: Path, tmp_path: Path
) -> None:
    before = set(pictures.parent.iterdir())
    found = growth.measure((20, 40, 60), repetitions=1, pictures=pictures)
    assert set(pictures.parent.iterdir()) == before
    assert {size: len(runs) for size, runs in found["runs"].items()} == {20: 1, 40: 1, 60: 1}
    for size, (stages,) in found["runs"].items():
        assert stages["metadata"]["requests"] == math.ceil(size / 30)
        assert stages["download"]["bytes"] > 20 * stages["resize"]["bytes"] > 0
        assert all(stages[stage]["cpu"] > 0 for stage in ("download", "resize"))
    assert abs(found["deviations"]["download bytes"]) < 0.2
    growth.write(found, tmp_path / "growth.md")
    text = (tmp_path / "growth.md").read_text(encoding="utf-8")
    assert "| metadata: API requests (number) | 1.0 | 2.0 | 2.0 |" in text and "7,400,000" in text


def test_without_room_on_the_disk_it_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="free disk"):
        growth.measure((20, 40, 10**12))
