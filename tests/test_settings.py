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
from hypothesis import example, given, settings
from hypothesis import strategies as st

import helpers
from helpers import Secret, Settings, load_settings
from kit.errors import SettingsError
from kit.settings import QUALITIES

ROOT = Path(helpers.__file__).parent
EXAMPLE = ROOT / "config.ini.example"
KEY = "Qz9Xw4Vt8Jm2Kl6Pr3Hs7Fd5Gb1Nc0Ty_Ue-Aq8Wk2M"  # as long as a real one

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


def shows_key(text: str) -> bool:
    """Whether 8 neighbouring characters of the key stand in the text, in whatever case: a Secret shows 4."""
    return any(KEY[i : i + 8].lower() in text.lower() for i in range(len(KEY) - 7))


def refusal(path: Path) -> str:
    """The text with which a configuration file is refused: one line, which doesn't show the key."""
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    text = str(caught.value)
    assert text
    assert caught.value._render_traceback_() == [f"SettingsError: {text}"]
    assert len(text.splitlines()) == 1
    assert not shows_key("".join(traceback.format_exception(caught.value)))
    return text


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


@pytest.mark.parametrize(
    "content",
    [
        "",
        "; nothing but a comment\n",
        "[unsplash]\n[parallel]\n[thumbnails]\n[practice]\n[notebook]\n",
        "[practice]\nquota = 50\n",  # all other sections are missing
        "[unsplash]\naccess_key =\nphotos =\nquality =   \n[parallel]\nthreads=\nprocesses=\n[thumbnails]\nsize:\n",
    ],
)
def test_what_the_file_leaves_out_has_its_default(content: str) -> None:
    assert plain(load_settings(config(content))) == DEFAULTS | {"processes": helpers.usable_cpus()}


ALL_OPTIONS = f"""\
[unsplash]
access_key = {KEY}
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
quota = 4
[cluster]
scheduler = tls://node-1.example:8786
[notebook]
going_further = no
"""


@pytest.mark.parametrize(
    "content",
    [
        ALL_OPTIONS.encode(),
        b"\xef\xbb\xbf" + ALL_OPTIONS.encode(),
        ALL_OPTIONS.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + ALL_OPTIONS.replace("\n", "\r\n").encode(),
        ALL_OPTIONS.replace(" = ", ":").rstrip().encode(),
    ],
    ids=["plain", "byte-order mark", "CRLF", "byte-order mark and CRLF", "colons, no last line end"],
)
def test_every_option_is_read(content: bytes) -> None:
    assert plain(load_settings(config(content))) == {
        "access_key": KEY,
        "photos": 61,
        "quality": "full",
        "threads": 3,
        "processes": 5,
        "thumbnail_size": 99,
        "latency_ms": 1,
        "bandwidth_mbit": 0,
        "quota": 4,
        "scheduler": "tls://node-1.example:8786",
        "going_further": False,
    }


@pytest.mark.parametrize(("section", "option", "name", "low", "high"), NUMBERS)
def test_limits_are_accepted_and_what_lies_beyond_is_refused(
    section: str, option: str, name: str, low: int, high: int
) -> None:
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


def test_auto_means_all_usable_cpus_and_only_for_processes() -> None:
    assert load_settings(config("[parallel]\nprocesses = auto\n")).processes == helpers.usable_cpus()
    assert "not a whole number" in refusal(config("[parallel]\nthreads = auto\n"))


@pytest.mark.parametrize("content", ["", "[parallel]\nprocesses = auto\n"])
def test_auto_stays_within_the_limit_on_a_machine_with_many_cpus(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "usable_cpus", lambda: 128)
    assert load_settings(config(content)).processes == 61


@pytest.mark.parametrize("quality", QUALITIES)
def test_regular_and_better_qualities_are_accepted(quality: str) -> None:
    assert load_settings(config(f"[unsplash]\nquality = {quality}\n")).quality == quality


@pytest.mark.parametrize("quality", ["small", "thumb", "small_s3", "Regular", "regular full"])
def test_a_quality_below_regular_is_refused(quality: str) -> None:
    text = refusal(config(f"[unsplash]\nquality = {quality}\n"))
    assert f"quality = {quality} is not one of regular, full, raw" in text


@pytest.mark.parametrize(("answer", "meaning"), [("yes", True), ("No", False), ("true", True), ("off", False)])
def test_a_question_is_answered_with_yes_or_no(answer: str, meaning: bool) -> None:
    assert load_settings(config(f"[notebook]\ngoing_further = {answer}\n")).going_further is meaning


@pytest.mark.parametrize("address", ["", "tcp://10.0.0.1:8786", "node-1.example:8786"])
def test_an_address_of_a_scheduler_is_accepted(address: str) -> None:
    assert load_settings(config(f"[cluster]\nscheduler = {address}\n")).scheduler == address


@pytest.mark.parametrize("address", ["node-1", "http://10.0.0.1:8786", "tcp://node:port", "tcp://a:1/x", "tcp://:8786"])
def test_what_can_not_be_the_address_of_a_scheduler_is_refused(address: str) -> None:
    text = refusal(config(f"[cluster]\nscheduler = {address}\n"))
    assert f"[cluster] scheduler = {address} must be an address like tcp://" in text


def test_another_answer_than_yes_or_no_is_refused() -> None:
    assert "going_further = maybe must be yes or no" in refusal(config("[notebook]\ngoing_further = maybe\n"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[parallel]\ncolour = red\n", ["[parallel] colour", "known there: threads, processes"]),
        ("[parallel]\nphotos = 60\n", ["[parallel] photos", "known there: threads, processes"]),
        ("[Parallel]\nthreads = 3\n", ["[Parallel] threads", "config.ini.example"]),
        ("[DEFAULT]\nthreads = 3\n", ["[DEFAULT] threads", "config.ini.example"]),
        ("[parallel]\nthreads = 3\nthreads = 4\n", ["[parallel] has threads twice"]),
        ("[parallel]\nthreads = 3\n[parallel]\n", ["[parallel] stands there twice"]),
        ("threads = 3\n", ["line 1", "section"]),
        ("[parallel]\n\nthreads\n", ["line 3", "name = value"]),
        ("[parallel]\nthreads = 3\n= 4\n", ["line 3", "name = value"]),
        ("[parallel\nthreads = 3\n", ["line 1", "section"]),
        (b"[unsplash]\naccess_key = \xe9\n", ["not UTF-8"]),
        ("[parallel]\n".encode("utf-16"), ["not UTF-8"]),
    ],
)
def test_a_broken_file_is_refused_in_words_that_name_the_place(content: str | bytes, words: list[str]) -> None:
    text = refusal(config(content))
    assert "config.ini" in text
    assert all(word in text for word in words), text


def test_a_folder_in_place_of_the_file_is_refused() -> None:
    Path("config.ini").mkdir()
    assert "config.ini can't be read" in refusal(Path("config.ini"))


def test_a_folder_in_place_of_the_example_is_refused() -> None:
    Path("config.ini.example").mkdir()
    assert "can't be" in refusal(Path("config.ini"))


def test_a_file_without_the_right_to_read_it_is_refused() -> None:
    path = config(ALL_OPTIONS)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user or system reads everything")
    assert "config.ini can't be read" in refusal(path)


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


@pytest.mark.parametrize(
    "key", [f"{KEY} {KEY}", f"{KEY} ; my key", f"{KEY}\u00e9", f"{KEY}\u200b", f"{KEY}\n {KEY}"], ids=ascii
)
def test_a_key_with_a_space_or_a_foreign_character_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "access key" in refusal(config(f"[unsplash]\naccess_key = {key}\n"))
    monkeypatch.setenv("UNSPLASH_ACCESS_KEY", key)
    assert "access key" in refusal(config(""))


@pytest.mark.parametrize(
    "content",
    [
        f"{KEY}\n",
        f"access_key = {KEY}\n",
        f"[unsplash]\naccess_key {KEY}\n",
        f"[unsplash]\naccess_key {KEY} =\n",
        f"[unsplash]\n{KEY} = access_key\n",
        f"[unsplash]\n{KEY} =\n{KEY} =\n",
        f"[unsplash\naccess_key = {KEY}\n",
        f"[{KEY}]\nphotos = 60\n",
        f"[{KEY}]\n[{KEY}]\n",
        f"[unsplash]\nphotos = {KEY}\n",
        f"[unsplash]\nquality = {KEY}\n",
        f"[notebook]\ngoing_further = {KEY}\n",
        f"[unsplash]\nphotos = 60\n access_key = {KEY}\n",  # the indented line continues the one before
        f"[unsplash]\nquality = regular\n access_key = {KEY}\n",
        f"[unsplash]\naccess_key = {KEY}\naccess_key = {KEY}\n",
        f"[unsplash]\naccess_key = {KEY}\nphotos = none\n",
        f"[unsplash]\naccess_key = {KEY}\n\xe9".encode("latin-1"),
    ],
    ids=lambda content: repr(content).replace(KEY, "KEY"),
)
def test_no_refusal_quotes_the_key_wherever_it_stands(content: str | bytes) -> None:
    refusal(config(content))


def test_neither_a_secret_nor_settings_show_the_key() -> None:
    secret, found = Secret(KEY), Settings(access_key=Secret(KEY))
    texts = [repr(secret), str(secret), f"{secret}", f"{secret!r:>60}", "{}".format(secret), f"{[secret]}"]  # noqa: UP032
    texts += [repr(found), str(found), f"{found}", str(vars(found))]
    for text in texts:
        assert "*" * 8 in text
        assert not shows_key(text)
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == KEY


def test_of_a_long_key_the_end_may_show_and_of_a_short_one_nothing() -> None:
    assert repr(Secret(KEY)) == "*" * 8 + KEY[-4:]
    assert repr(Secret(KEY[:19])) == "*" * 8
    assert repr(Secret()) == "(none)"
    assert Secret(KEY)
    assert not Secret()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [Secret(KEY), Settings(access_key=Secret(KEY))], ids=["Secret", "Settings"])
def test_the_key_is_not_pickled(value: object, protocol: int) -> None:
    with pytest.raises(TypeError, match="access key is not pickled"):
        pickle.dumps(value, protocol)
    with pytest.raises(TypeError, match="access key is not pickled"):
        copy.deepcopy(value)


NAMES = ["access_key", "photos", "quality", "threads", "processes", "60", "0", "-1", "auto", "regular", "small", KEY]
MARKS = [
    "[",
    "]",
    "=",
    ":",
    " ",
    "  ",
    "\n",
    "\n",
    "\n",
    "\r\n",
    ";",
    "#",
    "%",
    "[unsplash]",
    "[parallel]",
    "[DEFAULT]",
]
PIECES = st.sampled_from(NAMES) | st.sampled_from(MARKS)


@settings(max_examples=300, deadline=None)
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
    assert "spawn" in found["Start method"]
    required = re.findall(r"^(\w+)~=", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    for package in {*required, "tornado"} - {"jupyter"}:  # which is only a list of other packages
        assert f"{package} {version(package)}" in found["Packages"].split(", ")


def test_asking_for_the_environment_leaves_the_start_method_open() -> None:
    code = "import helpers, multiprocessing as m; helpers.environment(); print(m.get_start_method(allow_none=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to a CPU")
def test_usable_cpus_counts_only_those_that_this_process_may_use() -> None:
    before = os.sched_getaffinity(0)
    assert helpers.usable_cpus() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert helpers.usable_cpus() == 1
        assert "1 usable" in helpers.environment()["CPUs"]
    finally:
        os.sched_setaffinity(0, before)
