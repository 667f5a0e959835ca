"""Settings: what load_settings() reads and refuses, the access key that never shows, the machine's description."""

from __future__ import annotations

import copy
import os
import pickle
import platform
import re
import subprocess
import sys
import traceback
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import KEY, ROOT, one_line, shows_key
from hypothesis import example, given, settings
from hypothesis import strategies as st

import helpers
from helpers import Secret, Settings, load_settings
from kit import machine
from kit.errors import SettingsError
from kit.settings import QUALITIES

EXAMPLE = ROOT / "config.ini.example"

NUMBERS = [  # section, option, field, smallest, largest
    ("unsplash", "photos", "photos", 1, 25_000),
    ("parallel", "threads", "threads", 1, 256),
    ("parallel", "processes", "processes", 1, 61),
    ("thumbnails", "size", "thumbnail_size", 16, 1080),
    ("practice", "latency_ms", "latency_ms", 0, 10_000),
    ("practice", "bandwidth_mbit", "bandwidth_mbit", 0, 10_000),
    ("practice", "quota", "quota", 1, 5_000),
]


def config(content: str | bytes) -> Path:
    path = Path("config.ini")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path) -> str:
    """The text with which a configuration file is refused."""
    return one_line(SettingsError, load_settings, path)


def plain(found: Settings) -> dict[str, object]:
    return vars(found) | {"access_key": found.access_key.reveal()}


DEFAULTS = plain(Settings())


# --- the file ---------------------------------------------------------------------------------------------------


def test_a_missing_file_is_made_from_the_example_and_kept_from_then_on() -> None:
    Path("config.ini.example").write_bytes(b"[parallel]\r\nthreads = 7\r\n")
    assert load_settings().threads == 7
    assert Path("config.ini").read_bytes() == Path("config.ini.example").read_bytes()
    config("[parallel]\nthreads = 8\n")
    assert load_settings().threads == 8
    assert sorted(path.name for path in Path().iterdir()) == ["config.ini", "config.ini.example"]


def test_without_file_and_example_the_message_names_the_example() -> None:
    assert "config.ini.example is missing" in refusal(Path("config.ini"))
    assert not Path("config.ini").exists()


def test_the_committed_example_says_what_the_defaults_are() -> None:
    found = plain(load_settings(EXAMPLE))
    assert found == DEFAULTS | {"processes": helpers.usable_cpus()}
    named = re.findall(r"^(\w+) =", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(named) == len(fields(Settings))


@pytest.mark.parametrize("content", [
    "",
    "; nothing but a comment\n",
    "[unsplash]\n[parallel]\n[thumbnails]\n[practice]\n[notebook]\n",
    "[practice]\nquota = 50\n",  # all other sections are missing
    "[unsplash]\naccess_key =\nphotos =\nquality =   \n[parallel]\nthreads=\nprocesses=\n[thumbnails]\nsize:\n",
])  # fmt: skip
def test_what_the_file_leaves_out_has_its_default(content: str) -> None:
    assert plain(load_settings(config(content))) == DEFAULTS | {"processes": helpers.usable_cpus()}


ALL_OPTIONS = f"""\
[unsplash]
access_key = {KEY}
dataset = .
photos = 61
quality = full
[parallel]
threads = 3
processes = 5
[thumbnails]
size = 99
[practice]
latency_ms = 1
bandwidth_mbit = 0
seed = s123
quota = 4
[cluster]
scheduler = tls://node-1.example:8786
[notebook]
going_further = no
"""


@pytest.mark.parametrize("content", [
    ALL_OPTIONS,
    "\ufeff" + ALL_OPTIONS,
    ALL_OPTIONS.replace("\n", "\r\n"),
    "\ufeff" + ALL_OPTIONS.replace("\n", "\r\n"),
    ALL_OPTIONS.replace(" = ", ":").rstrip(),
], ids=["plain", "byte-order mark", "CRLF", "byte-order mark and CRLF", "colons, no last line end"])  # fmt: skip
def test_every_option_is_read(content: str) -> None:
    assert plain(load_settings(config(content))) == {
        "access_key": KEY, "dataset": ".", "photos": 61, "quality": "full", "threads": 3, "processes": 5,
        "thumbnail_size": 99, "latency_ms": 1, "bandwidth_mbit": 0, "seed": "s123", "quota": 4,
        "scheduler": "tls://node-1.example:8786", "going_further": False,
    }  # fmt: skip


@pytest.mark.parametrize(("section", "option", "name", "low", "high"), NUMBERS)
def test_a_number_has_its_limits(section: str, option: str, name: str, low: int, high: int) -> None:
    for number in (low, high):
        assert getattr(load_settings(config(f"[{section}]\n{option} = {number}\n")), name) == number
    for number in (low - 1, high + 1):
        text = refusal(config(f"[{section}]\n{option} = {number}\n"))
        assert f"[{section}] {option} = {number}" in text
        assert f"from {low} to {high}" in text


@pytest.mark.parametrize(("section", "option"), [row[:2] for row in NUMBERS])
@pytest.mark.parametrize("value", ["many", "1.5", "0x10", "automatic"])
def test_what_is_not_a_whole_number_is_refused(section: str, option: str, value: str) -> None:
    text = refusal(config(f"[{section}]\n{option} = {value}\n"))
    assert f"[{section}] {option} = {value} is not a whole number" in text


def test_auto_means_all_usable_cpus_within_the_limit_and_only_for_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(config("[parallel]\nprocesses = auto\n")).processes == helpers.usable_cpus()
    assert "not a whole number" in refusal(config("[parallel]\nthreads = auto\n"))
    monkeypatch.setattr("kit.settings.usable_cpus", lambda: 128)
    for content in ("", "[parallel]\nprocesses = auto\n"):
        assert load_settings(config(content)).processes == 61


# option, values that are accepted with what they mean, values that are refused with the reason
CHOICES = {
    "[unsplash]\nquality": (
        {name: name for name in QUALITIES},
        ("small", "thumb", "small_s3", "Regular", "regular full"), "is not one of regular, full, raw",
    ),
    "[unsplash]\ndataset": (
        {"": "", "config.ini": "config.ini", ".": ".", str(ROOT): str(ROOT)}, ("photos.tsv", "config.ini/x"),
        "is not there: give the path of photos.tsv",
    ),
    "[notebook]\ngoing_further": (
        {"yes": True, "No": False, "true": True, "off": False}, ("maybe",), "must be yes or no",
    ),
    "[practice]\nseed": (
        {"": "", "123": "123", "s12_3-x": "s12_3-x"}, ("a b", "../x", "ü", "a.b"), "must be a number or a word",
    ),
    "[cluster]\nscheduler": (
        {"": "", "tcp://10.0.0.1:8786": "tcp://10.0.0.1:8786", "node-1.example:8786": "node-1.example:8786"},
        ("node-1", "http://10.0.0.1:8786", "tcp://node:port", "tcp://a:1/x", "tcp://:8786"),
        "must be an address like tcp://",
    ),
}  # fmt: skip


@pytest.mark.parametrize("option", CHOICES)
def test_an_option_takes_some_texts_and_refuses_others(option: str) -> None:
    accepted, refused, reason = CHOICES[option]
    name = option.split()[1]
    for text, meaning in accepted.items():
        found = getattr(load_settings(config(f"{option} = {text}\n")), name)
        assert (type(found), found) == (type(meaning), meaning)
    for text in refused:
        assert f"{name} = {text} {reason}" in refusal(config(f"{option} = {text}\n"))


@pytest.mark.parametrize(("content", "words"), [
    ("[parallel]\ncolour = red\n", ["[parallel] colour", "known there: threads, processes"]),
    ("[parallel]\nphotos = 60\n", ["[parallel] photos", "known there: threads, processes"]),
    ("[Parallel]\nthreads = 3\n", ["[Parallel] threads", "config.ini.example"]),
    ("[DEFAULT]\nthreads = 3\n", ["[DEFAULT] threads", "config.ini.example"]),
    (f"[{KEY}]\nphotos = 60\n", ["[(a long text)] photos", "config.ini.example"]),
    (f"[unsplash]\n{KEY} = access_key\n", ["[unsplash] (a long text)", "known there: access_key"]),
    (f"[unsplash]\naccess_key {KEY} =\n", ["[unsplash] (a long text)", "known there: access_key"]),
    ("[parallel]\nthreads = 3\nthreads = 4\n", ["[parallel] has threads twice"]),
    (f"[unsplash]\n{KEY} =\n{KEY} =\n", ["[unsplash] has (a long text) twice"]),
    (f"[{KEY}]\n[{KEY}]\n", ["[(a long text)] stands there twice"]),
    (f"{KEY}\n", ["line 1", "section"]),
    (f"[unsplash\naccess_key = {KEY}\n", ["line 1", "section"]),
    ("[parallel]\n\nthreads\n", ["line 3", "name = value"]),
    (f"[unsplash]\naccess_key {KEY}\n", ["line 2", "name = value"]),
    (f"[unsplash]\nphotos = 60\n access_key = {KEY}\n", ["photos = (a long text)"]),  # it continues the line before
    (f"[unsplash]\naccess_key = {KEY}\nphotos = none\n", ["photos = none is not a whole number"]),
    (f"[unsplash]\ndataset = {KEY}\n", ["dataset = (a long text) is not there"]),
    (f"[unsplash]\nquality = {KEY}\n", ["quality = (a long text) is not one of"]),
    (f"[notebook]\ngoing_further = {KEY}\n", ["going_further = (a long text) must be yes or no"]),
    (f"[unsplash]\naccess_key = {KEY}\n\xe9".encode("latin-1"), ["not UTF-8"]),
    ("[parallel]\n".encode("utf-16"), ["not UTF-8"]),
], ids=lambda content: repr(content).replace(KEY, "KEY"))  # fmt: skip
def test_a_broken_file_is_refused_without_the_key(content: str | bytes, words: list[str]) -> None:
    text = refusal(config(content))
    assert "config.ini" in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(("name", "words"), [("config.ini", "can't be read"), ("config.ini.example", "can't be made")])
def test_a_folder_in_place_of_a_file_is_refused(name: str, words: str) -> None:
    Path(name).mkdir()
    assert f"config.ini {words}" in refusal(Path("config.ini"))


# --- the key ----------------------------------------------------------------------------------------------------


def test_a_percent_sign_in_the_key_is_just_that() -> None:
    assert load_settings(config("[unsplash]\naccess_key = 50%%(x)s%\n")).access_key.reveal() == "50%%(x)s%"


def test_the_environment_variable_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    path = config("[unsplash]\naccess_key = of-the-file\n")
    assert load_settings(path).access_key.reveal() == "of-the-file"
    monkeypatch.setenv("UNSPLASH_ACCESS_KEY", f" {KEY}\n")
    assert load_settings(path).access_key.reveal() == KEY
    monkeypatch.setenv("UNSPLASH_ACCESS_KEY", "  ")
    assert load_settings(path).access_key.reveal() == "of-the-file"


@pytest.mark.parametrize("key", [f"{KEY} ; my key", f"{KEY}\u00e9", f"{KEY}\u200b", f"{KEY}\n {KEY}"], ids=ascii)
def test_a_key_with_a_space_or_a_foreign_character_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "access key" in refusal(config(f"[unsplash]\naccess_key = {key}\n"))
    monkeypatch.setenv("UNSPLASH_ACCESS_KEY", key)
    assert "access key" in refusal(config(""))


def test_neither_a_secret_nor_settings_show_the_key() -> None:
    secret, found = Secret(KEY), Settings(access_key=Secret(KEY))
    texts = [repr(secret), str(secret), f"{secret}", f"{secret!r:>60}", "{}".format(secret), f"{[secret]}"]  # noqa: UP032
    texts += [repr(found), str(found), f"{found}", str(vars(found))]
    for text in texts:
        assert "*" * 8 in text
        assert not shows_key(text)
    assert not hasattr(secret, "__dict__")
    assert secret and secret.reveal() == KEY
    # Of a long key the end may show, of a short one nothing.
    assert [repr(Secret(text)) for text in (KEY, KEY[:19], "")] == ["*" * 8 + KEY[-4:], "*" * 8, "(none)"]
    assert not Secret()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [Secret(KEY), Settings(access_key=Secret(KEY))], ids=["Secret", "Settings"])
def test_the_key_is_not_pickled(value: object, protocol: int) -> None:
    with pytest.raises(TypeError, match="access key is not pickled"):
        pickle.dumps(value, protocol)
    with pytest.raises(TypeError, match="access key is not pickled"):
        copy.deepcopy(value)


PIECES = st.sampled_from([
    "access_key", "dataset", "photos", "quality", "threads", "processes", "60", "0", "-1", "auto", "regular", KEY,
]) | st.sampled_from([
    "[", "]", "=", ":", " ", "  ", "\n", "\n", "\n", "\r\n", ";", "#", "%", "[unsplash]", "[parallel]", "[DEFAULT]",
])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PIECES, max_size=25).map("".join).map(str.encode)
    | st.lists(PIECES | st.text(st.characters(codec="utf-8")), max_size=12).map("".join).map(str.encode)
    | st.binary().map(lambda content: content + KEY.encode())
)
@example(f"[unsplash]\nphotos = {KEY}".encode())
@example(b"[unsplash]\nphotos = " + b"9" * 5000)
def test_whatever_the_file_holds_gives_settings_or_a_refusal_without_the_key(content: bytes) -> None:
    path = config(content)
    try:
        found = load_settings(path)
    except SettingsError as problem:
        assert not shows_key(str(problem))
        assert not shows_key("".join(traceback.format_exception(problem)))
        assert len(str(problem).splitlines()) == 1
    else:
        assert not shows_key(repr(found))


# --- the machine ------------------------------------------------------------------------------------------------


def test_environment_agrees_with_the_machine_and_names_every_package() -> None:
    found = helpers.environment()
    assert platform.python_version() in found["Python"]
    assert platform.system() in found["Operating system"]
    assert platform.machine() in found["Operating system"]
    usable, logical = map(int, re.findall(r"\d+", found["CPUs"]))
    assert (usable, logical) == (helpers.usable_cpus(), os.cpu_count())
    required = re.findall(r"^(\w+)~=", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    for package in {*required, "tornado"} - {"jupyter"}:  # which is only a list of other packages
        assert f"{package} {version(package)}" in found["Packages"].split(", ")


def test_asking_for_the_environment_leaves_the_start_method_open() -> None:
    code = "import helpers, multiprocessing as m; helpers.environment(); print(m.get_start_method(allow_none=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to a CPU")
def test_usable_cpus_counts_only_those_that_this_process_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CPU_QUOTA", quota := tmp_path / "cpu.max")
    before = os.sched_getaffinity(0)
    assert helpers.usable_cpus() == len(before)
    for limit, most in (("max 100000", len(before)), ("50000 100000", 1), ("150000 100000", 2), ("9900000 100000", 99)):
        quota.write_text(f"{limit}\n")
        assert helpers.usable_cpus() == min(most, len(before))
    os.sched_setaffinity(0, {min(before)})
    try:
        assert helpers.usable_cpus() == 1
        assert "1 usable" in helpers.environment()["CPUs"]
    finally:
        os.sched_setaffinity(0, before)
