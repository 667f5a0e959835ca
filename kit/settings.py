"""config.ini and what may stand in it. The access key lives in a Secret from here on."""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from kit.errors import SettingsError
from kit.files import plain, write
from kit.machine import usable_cpus

QUALITIES = ("regular", "full", "raw")  # of the sizes in a record's `urls`, those that the assignment accepts


class Secret:
    """A text that never shows itself: not in a repr, a print-out, an f-string or a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str = ""):
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        if not self._text:
            return "(none)"
        return "*" * 8 + (self._text[-4:] if len(self._text) >= 20 else "")

    __str__ = __repr__

    def __reduce__(self):
        raise TypeError("The access key is not pickled: workers don't need it.")


@dataclass(frozen=True)
class Settings:
    """What config.ini says; `config.ini.example` explains every entry."""

    access_key: Secret = field(default_factory=Secret)
    dataset: str = ""  # path of the photos.tsv of an Unsplash dataset, or of its folder
    photos: int = 1500
    quality: str = "regular"
    threads: int = 32
    processes: int = 2
    thumbnail_size: int = 200  # pixels, longer side
    latency_ms: int = 40  # practice server: median wait before an answer
    bandwidth_mbit: int = 64  # practice server: per connection; 0 for no limit
    seed: str = ""  # practice server: a class with a catalogue for each student
    quota: int = 50  # practice server: API requests per hour
    scheduler: str = ""  # address of a Dask scheduler; empty: a cluster of processes on this machine
    going_further: bool = True  # run the optional last part of the notebook


# section, option -> field of Settings
_TEXTS = {
    ("unsplash", "access_key"): "access_key",
    ("unsplash", "dataset"): "dataset",
    ("unsplash", "quality"): "quality",
    ("cluster", "scheduler"): "scheduler",
    ("practice", "seed"): "seed",
    ("notebook", "going_further"): "going_further",
}
# section, option -> field of Settings, smallest and largest number
_NUMBERS = {
    ("unsplash", "photos"): ("photos", 1, 25_000),
    ("parallel", "threads"): ("threads", 1, 256),
    ("parallel", "processes"): ("processes", 1, 61),  # 61: what Windows can wait for at once
    ("thumbnails", "size"): ("thumbnail_size", 16, 1080),
    ("practice", "latency_ms"): ("latency_ms", 0, 10_000),
    ("practice", "bandwidth_mbit"): ("bandwidth_mbit", 0, 10_000),
    ("practice", "quota"): ("quota", 1, 5_000),
}


def load_settings(path: Path | str = "config.ini") -> Settings:
    """Read the settings; a missing file is made from `config.ini.example` first.

    The environment variable UNSPLASH_ACCESS_KEY takes precedence over the file's `access_key`.

    Raises:
        SettingsError: the file can't be read or holds an impossible value; the text names it.
    """
    path = Path(path)
    if not path.exists():
        _copy_example(path)
    parser = _parse(path)
    texts: dict[str, str] = {}
    numbers = {"processes": min(usable_cpus(), _NUMBERS["parallel", "processes"][2])}
    for section in parser.sections():
        for option, text in parser.items(section):
            where, entry, text = f"{path.name}: [{section}] {option}", (section, option), text.strip()
            if entry in _NUMBERS:
                name, low, high = _NUMBERS[entry]
                if text and not (name == "processes" and text == "auto"):
                    numbers[name] = _whole_number(where, text, low, high)
            elif entry in _TEXTS:
                texts |= {_TEXTS[entry]: text} if text else {}
            else:
                known = ", ".join(name for part, name in [*_TEXTS, *_NUMBERS] if part == section)
                hint = f"known there: {known}" if known else "see config.ini.example"
                where = f"{path.name}: [{_shown(section)}] {_shown(option)}"
                raise SettingsError(f"{where} is no setting of this project ({hint}).")
    key = os.environ.get("UNSPLASH_ACCESS_KEY", "").strip() or texts.get("access_key", "")
    if not re.fullmatch(r"[!-~]*", key):
        raise SettingsError("The access key holds a space or a character that no key has: copy it again.")
    if (answer := texts.get("going_further", "yes").lower()) not in parser.BOOLEAN_STATES:
        raise SettingsError(f"{path.name}: going_further = {_shown(answer)} must be yes or no.")
    if (quality := texts.get("quality", "regular")) not in QUALITIES:
        raise SettingsError(
            f"{path.name}: quality = {_shown(quality)} is not one of {', '.join(QUALITIES)}: "
            "the assignment asks for `regular` or better."
        )
    if not re.fullmatch(r"((tcp|tls)://)?[\w.-]+:\d{1,5}|", scheduler := texts.get("scheduler", "")):
        where = f"{path.name}: [cluster] scheduler = {_shown(scheduler)}"
        raise SettingsError(f"{where} must be an address like tcp://10.0.0.1:8786, or empty.")
    if (dataset := texts.get("dataset", "")) and not os.path.exists(dataset):
        raise SettingsError(
            f"{path.name}: dataset = {_shown(dataset)} is not there: give the path of photos.tsv "
            "as seen from the notebook's folder, or leave it empty."
        )
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,40}", seed := texts.get("seed", "")):
        raise SettingsError(f"{path.name}: seed = {_shown(seed)} must be a number or a word of letters and digits.")
    return Settings(
        access_key=Secret(key),
        seed=seed,
        dataset=dataset,
        quality=quality,
        scheduler=scheduler,
        going_further=parser.BOOLEAN_STATES[answer],
        **numbers,
    )


def _copy_example(path: Path) -> None:
    example = path.with_name("config.ini.example")
    if not example.exists():
        raise SettingsError(f"{example.name} is missing beside the notebook: copy it from the assignment.")
    try:
        write(path, example.read_bytes())
    except OSError as problem:
        raise SettingsError(f"{path.name} can't be made from {example.name}: {plain(problem)}.") from None


def _parse(path: Path) -> configparser.ConfigParser:
    # A % in a key is just a %; [DEFAULT] is a section like any other.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except configparser.DuplicateOptionError as problem:
        where = f"{path.name}: [{_shown(problem.section)}]"
        raise SettingsError(f"{where} has {_shown(problem.option)} twice: delete one.") from None
    except configparser.DuplicateSectionError as problem:
        raise SettingsError(f"{path.name}: the section [{_shown(problem.section)}] stands there twice.") from None
    except configparser.MissingSectionHeaderError as problem:
        raise SettingsError(f"{path.name}, line {problem.lineno}, stands before the first [section].") from None
    except configparser.ParsingError as problem:  # its text could quote the line with the key
        line = getattr(problem, "lineno", None) or problem.errors[0][0]
        raise SettingsError(f"{path.name}, line {line}, is neither a [section] nor `name = value`.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path.name} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as problem:
        raise SettingsError(f"{path.name} can't be read: {plain(problem)}.") from None
    return parser


def _shown(text: str) -> str:
    """A piece of config.ini for a message; what is long or has several lines could hold the key: not quoted."""
    return text if len(text) <= 20 and text.isprintable() else "(a long text)"


def _whole_number(where: str, text: str, low: int, high: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise SettingsError(f"{where} = {_shown(text)} is not a whole number.") from None
    if not low <= number <= high:
        raise SettingsError(f"{where} = {_shown(text)} must be from {low} to {high}.")
    return number
