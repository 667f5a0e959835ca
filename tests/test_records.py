"""Metadata that are odd: tidy() and the notebook's exploratory cells read them with care."""

from __future__ import annotations

import contextlib
import copy
import io
import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import checks
import helpers
from helpers import tidy
from kit import charts, metadata
from kit.items import is_id

RECORD = {  # the form of the Unsplash API documentation, shortened
    "id": "Dwu85P9SOIk", "slug": "a-lake-Dwu85P9SOIk", "created_at": "2016-05-03T11:00:28-04:00",
    "updated_at": "2016-07-10T11:00:01Z", "promoted_at": None, "width": 2448, "height": 3264, "color": "#6E633A",
    "blur_hash": "LFC$yHwc8^$yIAS$%M%00KxukYIp", "downloads": 1345, "likes": 24, "views": 99_000,
    "description": "A man drinking coffee.", "alt_description": None, "liked_by_user": False,
    "exif": {"make": "Canon", "model": "EOS 40D", "exposure_time": "1/100", "iso": 100},
    "location": {"city": "Montreal", "country": "Canada", "position": {"latitude": 45.47, "longitude": -73.58}},
    "urls": {size: f"https://images.unsplash.com/photo-1?{size}"
             for size in ("raw", "full", "regular", "small", "thumb", "small_s3")},
    "user": {"id": "QPxL2MGqfrw", "username": "joe", "name": "Joe Example", "portfolio_url": None},
}  # fmt: skip
READ = {**RECORD, "created_at": datetime(2016, 5, 3, 15, 0, 28, tzinfo=UTC), "color": "#6e633a"}

# What a service may send by mistake, in place of anything.
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from([
        "", "12", " 7 ", "1e3", "1e999", "nan", "-5", 0, -1, 3.0, 2.5, 10**30, 10**400, "\ud800", "$x$ and $\\frac$",
        "2020-02-30", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "2020-01-01", "20200101", "yesterday",
        "#fff", "#12345g", "red", "#ABCDEF", "x" * 3000, "a\nb\0c", "https://[", "https://images.unsplash.com/x",
    ]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip
PLACES = [(name,) for name in RECORD] + [(a, b) for a in ("urls", "exif", "user") for b in RECORD[a]]


@st.composite
def mangled(draw: Callable, most: int = 6) -> dict:
    """A record with some fields missing, null, new or odd."""
    record = copy.deepcopy(RECORD)
    for *parents, name in draw(st.lists(st.sampled_from(PLACES), max_size=most, unique=True)):
        holder = record
        for parent in parents:
            holder = holder.get(parent) if isinstance(holder.get(parent), dict) else {}
        if draw(st.booleans()):
            holder.pop(name, None)
        else:
            holder[name] = draw(ODD)
    return record | draw(st.dictionaries(st.sampled_from(["new", "topics", "url_raw", "make", "aspect_ratio"]), ODD))


# --- tidy ---------------------------------------------------------------------------------------------------------

LEAST = {"width": 1, "height": 1, "likes": 0, "views": 0, "downloads": 0}


def rows(records: list[dict]) -> list[dict]:
    """What tidy makes of each record, None for what is missing; the columns have the types that they should have."""
    table = tidy(records)
    for name, least in LEAST.items():
        column, numbers = table[name], table[name].dropna()
        assert column.dtype == ("int64" if len(numbers) == len(column) else "float64")
        assert ((numbers % 1 == 0) & numbers.between(least, metadata.MOST)).all()
    assert isinstance(table["created_at"].dtype, pd.DatetimeTZDtype) and str(table["created_at"].dt.tz) == "UTC"
    return table.astype(object).mask(table.isna(), None).to_dict("records")


def test_a_proper_record_stays_as_it_came_apart_from_date_and_colour(capsys: pytest.CaptureFixture) -> None:
    before = copy.deepcopy(RECORD)
    assert (rows([RECORD]), RECORD) == ([READ], before)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("field", "value", "read"), [
    ("likes", "24", 24), ("likes", " 7 ", 7), ("likes", 24.0, 24), ("likes", 0, 0), ("downloads", "1345", 1345),
    ("color", "#ABCDEF", "#abcdef"), ("description", "half a pair: \ud800", "half a pair: ?"),
    *(("created_at", date, datetime(2020, 1, 1, tzinfo=UTC)) for date in ("2020-01-01", "2020-01-01T02:00:00+02:00")),
])  # fmt: skip
def test_what_can_be_read_is_read(field: str, value: object, read: object, capsys: pytest.CaptureFixture) -> None:
    assert rows([RECORD | {field: value}]) == [READ | {field: read}]
    assert capsys.readouterr().out == ""


NONSENSE = {
    "likes": [True, -1, 2.5, "many", "", "nan", "inf", float("nan"), float("inf"), 10**30, 10**400, [], {}],
    "width": [0, "0", -3],
    "color": ["red", "#fff", "#12345g", "#1234567", "", 0xFFFFFF, None.__class__],
    "created_at": ["yesterday", "", "2020-02-30", 1577836800, "0001-01-01T00:00:00+10:00", "9999-12-31T00:00:00Z"],
    "description": [5, True, [], {"en": "A lake"}],
    "urls": [5, "https://images.unsplash.com/x", [1]],
    "exif": ["Canon", 1.5],
    "user": ["Joe", [[]]],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in NONSENSE for value in NONSENSE[field]])
def test_nonsense_counts_as_missing_and_is_told(field: str, value: object, capsys: pytest.CaptureFixture) -> None:
    odd = RECORD | {field: value}
    assert rows([odd, RECORD, odd]) == [READ | {field: None}, READ, READ | {field: None}]
    assert capsys.readouterr().out == f"Values that make no sense and count as missing: {field} (2).\n"


def test_what_is_missing_or_null_becomes_none_without_a_word(capsys: pytest.CaptureFixture) -> None:
    [bare] = rows([{}])
    assert set(bare) < set(RECORD) and set(bare.values()) == {None}
    assert rows([dict.fromkeys(RECORD)]) == [dict.fromkeys(RECORD)]
    [partly] = rows([{"exif": {}, "user": {"name": None}, "urls": {}}])
    assert (partly["exif"], partly["user"]) == ({"make": None}, {"name": None})
    assert partly["urls"] == dict.fromkeys(("raw", "full", "regular", "small", "thumb"))
    assert rows([]) == []
    assert capsys.readouterr().out == ""


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(records=st.lists(mangled(), min_size=1, max_size=3))
def test_whatever_a_record_holds_each_field_is_of_its_type_or_none(records: list[dict]) -> None:
    before = repr(records)
    with contextlib.redirect_stdout(io.StringIO()) as told:
        found = rows(records)
    assert repr(records) == before
    assert len(told.getvalue().splitlines()) <= 1
    for old, new in zip(records, found, strict=True):
        assert new["created_at"] is None or 1970 < new["created_at"].year < 2200
        assert new["color"] is None or re.fullmatch("#[0-9a-f]{6}", new["color"])
        texts = [new["id"], new["description"], new["alt_description"]]
        for parent, name in (("exif", "make"), ("user", "name"), ("urls", "raw"), ("urls", "regular")):
            assert new[parent] is None or isinstance(new[parent], dict)
            texts.append(new[parent] and new[parent][name])
        assert all(text is None or text.encode() is not None for text in texts)
        assert set(old) <= set(new)


# --- ids ------------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, database=None)
@given(name=st.one_of(st.text(max_size=70), st.from_regex(r"[A-Za-z0-9_.\-/\\: ]{1,66}", fullmatch=True)))
@example("-abcdefghij")
@example("aux.jpg")
def test_an_id_that_is_accepted_is_a_file_name_of_its_own(name: str) -> None:
    if is_id(name):
        path = Path("images") / f"{name}.jpg"
        assert (path.parent, path.stem) == (Path("images"), name)
        assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])", name)
    else:
        assert not re.fullmatch(r"[A-Za-z0-9_-]{11}", name)


@pytest.mark.parametrize("name", ["con", "PRN", "aux", "NUL", "com0", "COM9", "lpt0", "com¹", "nul.", "nul ", "conin$"])
def test_names_that_windows_reserves_are_no_ids(name: str) -> None:
    assert not is_id(name) and is_id(f"x{name[:3]}") and is_id("-" * 64)


# --- the notebook's exploratory cells -----------------------------------------------------------------------------

EDA = ("sample", "downloads-histogram", "likes", "aspect", "descriptions", "colours")
CHARTS = 4


@pytest.fixture(scope="module")
def cells() -> list:
    """The cells, compiled."""
    notebook = nbformat.read(ROOT / "assignment.ipynb", as_version=4)
    sources = {cell.id: cell.source for cell in notebook.cells}
    return [compile(sources[name], name, "exec") for name in EDA]


class Explored(NamedTuple):
    variables: dict
    bars: list[int]  # in the first axes of each chart
    told: str


@pytest.fixture
def explore(cells: list, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[dict]], Explored]:
    """Run the cells on these records as a notebook would."""
    bars: list[int] = []

    def show(description: str) -> None:
        plt.gcf().draw_without_rendering()  # this is when a label turns out to make no sense
        bars.append(len(plt.gcf().axes[0].patches))
        plt.close()

    monkeypatch.setattr("kit.display.show", show)

    def explore(records: list[dict]) -> Explored:
        bars.clear()
        names = {"helpers": helpers, "say": helpers.say, "pd": pd, "np": np, "charts": charts, "checks": checks}
        variables = {"records": records, "settings": helpers.Settings(), "display": print, **names}
        with mpl.rc_context(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as told:
            warnings.simplefilter("ignore")
            mpl.use("Agg")
            for statements in cells:
                exec(statements, variables)  # noqa: S102
        assert plt.get_fignums() == []
        return Explored(variables, list(bars), told.getvalue())

    return explore


def test_the_cells_draw_every_chart_of_proper_records(explore: Callable[[list[dict]], Explored]) -> None:
    found = explore([RECORD | {"id": f"photo-{n}", "likes": n, "downloads": n + 1} for n in range(30)])
    assert len(found.bars) == CHARTS and found.bars[0] == 30
    assert found.told.count("RIGHT: ") == 5 and "NOT ATTEMPTED" not in found.told


# What all records have in common, and how many charts can be drawn of it.
SPARSE = {
    "no field at all": ({}, 0),
    "only what the specification requires": (
        {n: v for n, v in RECORD.items() if n not in ("likes", "slug", "alt_description", "views", "downloads")}, 2,
    ),
    "all null": (dict.fromkeys(RECORD), 0),
    "all zero": (RECORD | dict.fromkeys(("likes", "views", "downloads"), 0), 3),
    "all nonsense": (dict.fromkeys(RECORD, "?"), 0),
    "numbers as text": (RECORD | {name: str(RECORD[name]) for name in ("width", "height", "likes", "downloads")}, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", SPARSE)
def test_the_cells_run_on_sparse_records(explore: Callable, name: str, record_property: Callable) -> None:
    record_property(f"metadata: {name}", 1)
    variables, bars, told = explore([SPARSE[name][0] | {"id": f"photo-{n}"} for n in range(2)])
    assert len(bars) == SPARSE[name][1]
    assert told.count("the records hold nothing") + told.count("RIGHT: ") == 5 and "WRONG" not in told
    assert variables.keys() >= {"overview", "steps", "colours", "urls"}  # what the notebook's to-do list reads


def test_the_cells_run_on_odd_records(explore: Callable, record_property: Callable) -> None:
    times = 0

    @settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(records=st.lists(mangled(most=12), min_size=1, max_size=20))
    def run(records: list[dict]) -> None:
        nonlocal times
        times += len(records)
        explore([record | {"id": f"photo-{n}"} for n, record in enumerate(records)])

    run()
    record_property("metadata: missing, new, null and odd fields", times)
