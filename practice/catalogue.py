"""The metadata of the practice server: an invented Unsplash, the same on every machine.

A `Catalogue` lists photos (`Entry`), finds and selects them, and writes the JSON item of one of them
(`record`) as the Unsplash API documentation has it (unsplash.com/documentation, "Get a random photo").
Photographers, captions and figures are invented; how they are distributed follows 162 real records.

In the order of reading: shared distributions, cameras, places, photographers, the catalogue.

Everything is drawn from `random.Random(text)`: Python promises that a seeded `random()` gives the same
numbers in every version; NumPy does not promise that for its generators, and is slower at single numbers.
"""

from __future__ import annotations

import base64
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from itertools import accumulate, pairwise
from random import Random
from statistics import NormalDist
from typing import Any, TypeVar

from .scenes import Scene, describe

T = TypeVar("T")
Knots = Sequence[tuple[float, float]]

# --------------------------------------------------------------------------------------------------
# Shared distributions
# --------------------------------------------------------------------------------------------------

# "Now" of the catalogue, in seconds since 1970: a fixed day keeps the ages of the photos the same for ever.
SNAPSHOT = int(datetime(2026, 10, 20, 12, tzinfo=UTC).timestamp())
DAY = 86_400

# fmt: off
# (share of the photos, value) at the percentiles of 162 real records; the ends follow the long tails there.
PREMIUM_SHARE = 0.045
LIKES: Knots = ((0, 3), (0.05, 13), (0.25, 34), (0.5, 54), (0.75, 78), (0.95, 144), (0.99, 420), (1, 6_000))
VIEWS: Knots = ((PREMIUM_SHARE, 12e3), (0.05, 67.6e3), (0.25, 221e3), (0.5, 339e3), (0.75, 469e3),
                (0.95, 993e3), (0.99, 2.4e6), (0.999, 13e6), (1, 40e6))
DOWNLOADS: Knots = ((PREMIUM_SHARE, 90), (0.05, 427), (0.25, 1_952), (0.5, 2_925), (0.75, 4_993),
                    (0.95, 8_521), (0.99, 22e3), (0.999, 170e3), (1, 500e3))
AGE_DAYS: Knots = ((0, 2), (0.25, 260), (0.5, 720), (0.75, 1_400), (0.95, 2_700), (1, 3_900))
# fmt: on

NORMAL = NormalDist()
ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HEX_DIGITS = "0123456789abcdef"
BLUR_HASH_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
SLUG_LANGUAGES = ("en", "es", "ja", "fr", "it", "ko", "de", "pt", "id")
# fmt: off
TOPICS = ("nature", "wallpapers", "travel", "film", "experimental", "textures-patterns",
          "architecture-interior", "street-photography", "current-events", "spirituality")
# fmt: on
IMAGE_LIBRARY = "rb-4.1.0"  # value of `ixlib` in addresses of 2025 and 2026


def _pick(rng: Random, items: Sequence[T]) -> T:
    """One of `items`, all equally likely, from a single `random()`."""
    return items[int(rng.random() * len(items))]


def _between(knots: Knots, share: float) -> float:
    """The value at `share`, straight lines between the knots."""
    (p0, v0), (p1, v1) = next((pair for pair in pairwise(knots) if share <= pair[1][0]), knots[-2:])
    return v0 + (v1 - v0) * (share - p0) / (p1 - p0)


def _between_ratios(knots: Knots, share: float) -> float:
    """The value at `share`, with equal ratios for equal steps: counts spread over powers of ten."""
    return math.exp(_between([(part, math.log(value)) for part, value in knots], share))


def _letters(rng: Random, alphabet: str, count: int) -> str:
    return "".join(rng.choices(alphabet, k=count))


def _iso(seconds: float, zulu: bool) -> str:
    """ISO 8601 as the API writes it: `Z`, or an offset of New York, where older records have their clock."""
    if zulu:
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    month = datetime.fromtimestamp(int(seconds), UTC).month
    offset = -4 if 4 <= month <= 10 else -5  # daylight saving, to the month
    return datetime.fromtimestamp(int(seconds), timezone(timedelta(hours=offset))).isoformat()


def _plain(text: str) -> str:
    """`text` in lower-case ASCII letters, digits and single hyphens, as slugs and usernames need it."""
    text = text.lower().translate(_NOT_DECOMPOSED)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")


# Letters that Unicode does not take apart into a base letter and an accent.
_NOT_DECOMPOSED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "ð": "d"})


def _words(text: str) -> set[str]:
    """The words of `text` for a comparison: without case and without a plural's last s."""
    return {word.removesuffix("s") or word for word in re.findall(r"[^\W_]+", text.casefold())}


# --------------------------------------------------------------------------------------------------
# Cameras
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Camera:
    """A real camera: how its EXIF fields read, its picture in pixels, and its lenses."""

    make: str
    model: str
    long: int  # pixels
    short: int
    # shortest and longest focal length in mm, widest f-number
    lenses: tuple[tuple[float, float, float], ...]

    @property
    def name(self) -> str:
        # Real records strip "Canon" from the model and keep the blank: " EOS R5", but "Canon, EOS R5".
        return f"{self.make}, {self.model.strip()}"


# fmt: off
_SYSTEM = ((24, 24, 1.4), (35, 35, 1.4), (35, 35, 1.8), (50, 50, 1.4), (50, 50, 1.8), (85, 85, 1.8),
           (24, 70, 2.8), (24, 105, 4), (70, 200, 2.8), (16, 35, 4), (100, 400, 5.6), (90, 90, 2.8))
_CROP = ((16, 16, 1.4), (23, 23, 2), (35, 35, 1.4), (56, 56, 1.2), (18, 55, 3.5), (16, 55, 2.8),
         (55, 200, 4.5), (10, 24, 4), (27, 27, 2.8))
_FOUR_THIRDS = ((12, 40, 2.8), (25, 25, 1.7), (17, 17, 1.8), (45, 45, 1.8), (40, 150, 4))

# Share of all photos in percent, make, lenses, then "model/long/short" of each camera.
_CAMERA_LIST: tuple[tuple[float, str, tuple[tuple[float, float, float], ...], str], ...] = (
    (22, "Canon", _SYSTEM, " EOS R5/8192/5464, EOS R6/5472/3648, EOS R/6720/4480, EOS RP/6240/4160,"
     " EOS 5D Mark IV/6720/4480, EOS 5D Mark III/5760/3840, EOS 6D/5472/3648, EOS 6D Mark II/6240/4160,"
     " EOS 80D/6000/4000, EOS 70D/5472/3648, EOS M50/6000/4000, EOS 700D/5184/3456, EOS 1200D/5184/3456"),
    (17, "SONY", _SYSTEM, "ILCE-7M3/6000/4000,ILCE-7M3/6000/4000,ILCE-7M4/7008/4672,ILCE-7RM3/7952/5304,"
     "ILCE-7RM4/9504/6336,ILCE-7M2/6000/4000,ILCE-7C/6000/4000,ILCE-6000/6000/4000,ILCE-6400/6000/4000,"
     "ZV-E10/6000/4000"),
    (10.6, "FUJIFILM", _CROP, "X-T3/6240/4160,X-T4/6240/4160,X-T5/7728/5152,X-T30/6240/4160,X-T20/6000/4000,"
     "X-S10/6240/4160,X-E4/6240/4160,X-H2/7728/5152,X-T2/6000/4000"),
    (1.4, "FUJIFILM", ((23, 23, 2),), "X100V/6240/4160,X100F/6000/4000,X100VI/7728/5152"),
    (9, "NIKON CORPORATION", _SYSTEM, "NIKON D750/6016/4016,NIKON D850/8256/5504,NIKON Z 6/6048/4024,"
     "NIKON Z 6_2/6048/4024,NIKON Z 7_2/8256/5504,NIKON Z 5/6016/4016,NIKON Z fc/5568/3712,"
     "NIKON D7500/5568/3712,NIKON D5300/6000/4000,NIKON D3300/6000/4000"),
    (3, "DJI", ((6.7, 6.7, 1.7), (8.4, 8.4, 2.8)), "FC3582/4032/3024,FC8482/8064/6048,FC3411/5472/3648,"
     "FC7303/4000/3000"),
    (1.5, "RICOH IMAGING COMPANY, LTD.", ((18.3, 18.3, 2.8),),
     "RICOH GR III/6000/4000,RICOH GR IIIx/6000/4000"),
    (1.5, "Panasonic", _FOUR_THIRDS, "DC-S5/6000/4000,DC-GH5/5184/3888,DC-G9/5184/3888,DMC-GX85/4592/3448"),
    (1.5, "LEICA CAMERA AG", ((28, 28, 1.7),),
     "LEICA Q2/8368/5584,LEICA Q3/9520/6336,LEICA Q (Typ 116)/6000/4000"),
    (2, "Apple", ((5.7, 5.7, 1.5), (6.86, 6.86, 1.78), (4.25, 4.25, 1.8)), "iPhone 13 Pro/4032/3024,"
     "iPhone 12/4032/3024,iPhone 14 Pro/4032/3024,iPhone 15 Pro/5712/4284,iPhone XR/4032/3024"),
    (0.9, "Google", ((6.81, 6.81, 1.85),), "Pixel 6/4080/3072,Pixel 7/4080/3072,Pixel 8 Pro/4080/3072"),
    (0.7, "OLYMPUS CORPORATION", _FOUR_THIRDS, "E-M10MarkII/4608/3456,E-M5MarkIII/5184/3888"),
    (0.5, "samsung", ((5.4, 5.4, 1.8),), "SM-G991B/4000/3000,SM-S911B/4000/3000"),
    (0.4, "Hasselblad", ((12.3, 12.3, 2.8),), "L2D-20c/5280/3956"),
    (0.5, "NORITSU KOKI", (), "QSS-32_33/3637/2433,QSS-32_33/6774/4492"),
)
# fmt: on


def _cameras() -> tuple[tuple[Camera | None, ...], tuple[float, ...]]:
    """All cameras with their cumulated shares; the last, None, is a photo whose EXIF was stripped."""
    cameras: list[Camera | None] = []
    shares: list[float] = []
    for percent, make, lenses, models in _CAMERA_LIST:
        listed = [model.rsplit("/", 2) for model in models.split(",")]
        for model, long, short in listed:
            cameras.append(Camera(make, model, int(long), int(short), lenses))
            shares.append(percent / len(listed))
    return (*cameras, None), tuple(accumulate([*shares, 100 - sum(shares)]))


CAMERAS, _CAMERA_SHARES = _cameras()
# fmt: off
# What is uploaded without EXIF: files of usual cameras, scans, and exports for the web.
_UNKNOWN_SENSORS = ((6000, 4000), (5472, 3648), (4032, 3024), (4000, 3000), (3840, 2560), (5184, 3456),
                    (6720, 4480), (3637, 2433), (3840, 2160), (4896, 3264))
# long edge : short edge
_CROPS = (5 / 4, 5 / 4, 5 / 4, 4 / 3, 4 / 3, 3 / 2, 3 / 2, 7 / 5, 16 / 9, 16 / 9, 2.0)
_EXPORTS = (2800, 3000, 3200, 3600, 3840, 4000, 4320, 4500, 4800, 5000, 5400, 6000)      # long edge, pixels
_SPEED_LIST = """\
    30 25 20 15 13 10 8 6 5 4 3 2.5 2 1.6 1.3 1 0.8 0.6 0.5 0.4 0.3 1/4 1/5 1/6 1/8 1/10 1/13 1/15
    1/20 1/25 1/30 1/40 1/50 1/60 1/80 1/100 1/125 1/160 1/200 1/250 1/320 1/400 1/500 1/640 1/800
    1/1000 1/1250 1/1600 1/2000 1/2500 1/3200 1/4000 1/5000 1/6400 1/8000"""
_SPEEDS = tuple(_SPEED_LIST.split())   # seconds
_LOG_SECONDS = tuple(math.log2(Fraction(speed)) for speed in _SPEEDS)
_APERTURES = (1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3.2, 3.5, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9, 10, 11, 13, 16)
_ISOS = (100, 125, 160, 200, 250, 320, 400, 500, 640, 800, 1000, 1250, 1600, 2000, 2500, 3200, 4000,
         5000, 6400)
# fmt: on


@dataclass(frozen=True, slots=True)
class Shot:
    """What belongs to a picture, however many ids show it: the seed of its scene, its camera and its size."""

    seed: int
    camera: Camera | None
    width: int
    height: int
    orientation: str


def _shot(seed: int, picture: int) -> Shot:
    """Picture number `picture` of the catalogue with this seed."""
    rng = Random(f"{seed}/picture/{picture}")
    camera = rng.choices(CAMERAS, cum_weights=_CAMERA_SHARES)[0]
    # Steps of the golden section spread evenly, so that even a small catalogue has its share of the rare
    # squares.
    share = (seed + picture) * 0.6180339887498949 % 1
    orientation = "portrait" if share < 0.66 else "landscape" if share < 0.99 else "squarish"
    long, short = (camera.long, camera.short) if camera else _pick(rng, _UNKNOWN_SENSORS)
    way = rng.random()
    if way < 0.25:  # cropped to a usual ratio
        ratio = _pick(rng, _CROPS)
        long, short = (long, round(long / ratio)) if ratio > long / short else (round(short * ratio), short)
    elif way < 0.33:  # cropped by eye
        kept = [round(side * (1 - 0.3 * rng.random() ** 2)) for side in (long, short)]
        long, short = max(kept), min(kept)
    if rng.random() < 0.09:  # made smaller for the upload
        edge = min(long, _pick(rng, _EXPORTS))
        long, short = edge, round(short * edge / long)
    if orientation == "squarish":
        long = short
    elif long < 1.05 * short:  # too near to a square to be called anything else
        short = round(long / 1.25)
    width, height = (short, long) if orientation == "portrait" else (long, short)
    return Shot(int(rng.random() * 2**31), camera, width, height, orientation)


EXIF_FIELDS = ("make", "model", "name", "exposure_time", "aperture", "focal_length", "iso")


def _exif(rng: Random, camera: Camera | None, night: bool) -> dict[str, Any]:
    """The `exif` object: exposure, aperture and ISO that give a right exposure by day or by night."""
    exif: dict[str, Any] = dict.fromkeys(EXIF_FIELDS)
    if camera is None:
        if rng.random() < 0.02:  # the name was stripped, the exposure was not
            exif |= _exposure(rng, (35, 35, 1.8), night, adjustable=True)
        return exif
    exif |= {"make": camera.make, "model": camera.model, "name": camera.name}
    if camera.lenses:  # none: a film scanner knows nothing of the exposure
        # Lenses shorter than 9 mm belong to telephones and drones, whose apertures are fixed.
        lens = _pick(rng, camera.lenses)
        exif |= _exposure(rng, lens, night, adjustable=lens[0] > 9)
        if rng.random() < 0.02:  # an old lens without contacts tells the camera nothing
            exif |= {"aperture": None, "focal_length": None}
        if rng.random() < 0.04:
            exif["iso"] = None
    return exif


def _exposure(rng: Random, lens: tuple[float, float, float], night: bool, adjustable: bool) -> dict[str, Any]:
    """Aperture, focal length, ISO and the time for the light: 2**EV = f-number**2 / seconds * 100 / ISO."""
    shortest, longest, widest = lens
    focal = shortest + (longest - shortest) * rng.random()
    tripod = night and rng.random() < 0.4
    light = rng.gauss(-1.0, 1.2) if tripod else rng.gauss(3.5, 1.0) if night else rng.gauss(12.5, 1.6)
    if adjustable:
        usable = [f for f in _APERTURES if f >= widest]
        narrow = rng.random() if tripod else rng.random() ** (2.5 if night else 1.2)
        aperture = usable[int(narrow * len(usable))]
    else:
        aperture = widest
    if tripod:
        iso = _pick(rng, _ISOS[:8])
    elif night:
        iso = _pick(rng, _ISOS[9:])
    else:
        # By day the lowest ISO that keeps the time short enough for the hand, now and then one that was left
        # higher.
        needed = aperture**2 / 2**light * 100 * max(60, focal)
        iso = next((value for value in _ISOS if value >= needed), _ISOS[-1])
        iso = max(iso, _pick(rng, _ISOS[:7])) if rng.random() < 0.35 else iso
    wanted = math.log2(aperture**2 * 100 / iso) - light
    nearest = min(range(len(_SPEEDS)), key=lambda i: abs(_LOG_SECONDS[i] - wanted))
    return {
        "exposure_time": _SPEEDS[nearest],
        "aperture": f"{aperture:g}",
        "focal_length": f"{focal:.1f}",
        "iso": iso,
    }


# --------------------------------------------------------------------------------------------------
# Places
# --------------------------------------------------------------------------------------------------

# name|city|country|latitude|longitude, degrees to two digits; a place without a city is a region.
_PLACE_LIST = """\
Porto, Portugal|Porto|Portugal|41.15|-8.61
Lofoten, Norway||Norway|68.25|14.55
Bergen, Norway|Bergen|Norway|60.39|5.32
Iceland||Iceland|64.96|-19.02
Vík í Mýrdal, Iceland|Vík í Mýrdal|Iceland|63.42|-19.01
Isle of Skye, United Kingdom||United Kingdom|57.29|-6.18
Edinburgh, UK|Edinburgh|United Kingdom|55.95|-3.19
Cornwall, UK||United Kingdom|50.43|-5.02
Galway, Ireland|Galway|Ireland|53.27|-9.06
Dolomites, Italy||Italy|46.41|11.84
Lago di Braies, Prags, Südtirol, Italien|Prags|Italien|46.69|12.09
Cinque Terre, SP, Italia||Italia|44.13|9.71
Zermatt, Schweiz|Zermatt|Schweiz|46.02|7.75
Grindelwald, Switzerland|Grindelwald|Switzerland|46.62|8.04
Hallstatt, Austria|Hallstatt|Austria|47.56|13.65
Berchtesgaden, Deutschland|Berchtesgaden|Deutschland|47.63|13.00
Hamburg, Germany|Hamburg|Germany|53.55|9.99
Annecy, France|Annecy|France|45.90|6.13
Étretat, France|Étretat|France|49.71|0.20
Asturias, España||España|43.36|-5.86
Tenerife, Spain||Spain|28.29|-16.63
Zakopane, Polska|Zakopane|Polska|49.30|19.95
Bled, Slovenia|Bled|Slovenia|46.37|14.11
Plitvice Lakes, Croatia||Croatia|44.87|15.58
Kotor, Montenegro|Kotor|Montenegro|42.42|18.77
Santorini, Greece||Greece|36.39|25.46
Cappadocia, Türkiye||Türkiye|38.64|34.83
Kazbegi, Georgia|Stepantsminda|Georgia|42.66|44.64
Helsinki, Finland|Helsinki|Finland|60.17|24.94
Abisko, Sweden|Abisko|Sweden|68.35|18.83
Faroe Islands||Faroe Islands|62.01|-6.77
Banff National Park, Alberta, Canada||Canada|51.50|-115.93
Tofino, BC, Canada|Tofino|Canada|49.15|-125.91
Vancouver, BC, Canada|Vancouver|Canada|49.28|-123.12
Yosemite Valley, California, USA||United States|37.75|-119.59
Big Sur, CA, USA||United States|36.27|-121.81
Seattle, WA, USA|Seattle|United States|47.61|-122.33
Moab, UT, USA|Moab|United States|38.57|-109.55
Chicago, IL, USA|Chicago|United States|41.88|-87.63
Acadia National Park, Maine, USA||United States|44.34|-68.27
Oaxaca, México|Oaxaca|México|17.07|-96.73
Torres del Paine, Chile||Chile|-50.94|-73.41
El Chaltén, Argentina|El Chaltén|Argentina|-49.33|-72.89
Ubatuba, SP, Brasil|Ubatuba|Brasil|-23.43|-45.08
Cusco, Perú|Cusco|Perú|-13.53|-71.97
Merzouga, Morocco|Merzouga|Morocco|31.10|-4.01
Sossusvlei, Namibia||Namibia|-24.73|15.34
Cape Town, South Africa|Cape Town|South Africa|-33.92|18.42
Ladakh, India||India|34.21|77.62
Munnar, Kerala, India|Munnar|India|10.09|77.06
Ella, Sri Lanka|Ella|Sri Lanka|6.87|81.05
Hà Giang, Vietnam|Hà Giang|Vietnam|22.80|104.98
Ubud, Bali, Indonesia|Ubud|Indonesia|-8.51|115.26
Yogyakarta, Indonesia|Yogyakarta|Indonesia|-7.80|110.37
富士河口湖町, 日本|富士河口湖町|日本|35.50|138.76
Kyoto, Japan|Kyoto|Japan|35.01|135.77
Hokkaido, Japan||Japan|43.22|142.86
제주도, 대한민국||대한민국|33.50|126.53
Taipei, Taiwan|Taipei|Taiwan|25.03|121.57
Tekapo, New Zealand|Tekapo|New Zealand|-44.00|170.48
Wānaka, New Zealand|Wānaka|New Zealand|-44.69|169.13
Great Ocean Road, Victoria, Australia||Australia|-38.68|143.39
Tasmania, Australia||Australia|-42.04|146.64"""
PLACES = tuple(
    (name, city or None, country, float(latitude), float(longitude))
    for name, city, country, latitude, longitude in (line.split("|") for line in _PLACE_LIST.splitlines())
)


def _location(rng: Random) -> dict[str, Any]:
    """The `location` object: mostly unnamed, its position 0.0 in half of all photos and null in a tenth."""
    name, city, country, latitude, longitude = _pick(rng, PLACES)
    named, known = rng.random() < 0.43, rng.random() < 0.837
    share = rng.random()
    if share < (0.02 if named else 0.16):
        position: tuple[float | None, float | None] = (None, None)
    elif share < (0.15 if named else 0.94):
        position = (0.0, 0.0)
    else:
        position = (round(latitude + rng.gauss(0, 0.05), 6), round(longitude + rng.gauss(0, 0.05), 6))
    return {
        "name": name if named else None,
        "city": city if named and known else None,
        "country": country if named and known else None,
        "position": {"latitude": position[0], "longitude": position[1]},
    }


# --------------------------------------------------------------------------------------------------
# Photographers
# --------------------------------------------------------------------------------------------------

# A line of given names above one of family names: every pair of these is an invented photographer. Blanks
# within a name are written "~".
_NAME_LISTS = """\
Amelia Callum Harriet Rory Imogen Elliot Poppy Fergus Beth Alistair Tilly Duncan Freya Graham Nell Owen
Ashcombe Birkett Calloway Dunmore Fairhurst Garside Holloway Inglis Kershaw Lockyer Mossman Penrose Whitlock
Madison Tyler Brooke Hunter Savannah Cody Paige Wyatt Delaney Colton Avery Garrett Kendra Dustin Tessa Marcus
Abernathy Bridger Conley Dempsey Eastman Granger Hatfield Kimbrough Maddox Ogden Pruitt Rainey Stoddard
Chloé Baptiste Manon Théo Élodie Rémi Margaux Lucien Anaïs Florian Solène Gaël Camille Mathis Noémie Corentin
Aubertin Bellanger Chastain Estève Faucher Grandjean Hervieu Jolivet Lachance Mérieux Noblet Rouvière Vasseur
Lukas Anneliese Jonas Friederike Moritz Greta Fabian Katrin Tobias Wiebke Jürgen Mareike Sören Niklas Antje
Achterberg Brinkmann Dörfler Eberlein Großmann Hinrichs Kästner Lindemann Möllers Niehaus Schüßler Wiechert
Giulia Matteo Chiara Lorenzo Ginevra Davide Ilaria Tommaso Noemi Emanuele Serena Riccardo Beatrice Viola
Albertazzi Benvenuti Castellani Donati Fabbrini Galimberti Iacobelli Lombardini Nardone Orlandini Quaranta
Álvaro Lucía Íñigo Marta Hugo Rocío Adrián Nerea Gonzalo Inés Sergio Paloma Iker Leire Rubén Aitana
Arancibia Benítez Carrasco Echeverría Fuentes Guijarro Herranz Ibáñez Lozano Olmedo Pizarro Quesada Zabaleta
Tiago Beatriz Rafael Leonor Gustavo Larissa João Mariana Henrique Débora Caio Letícia Nuno Catarina Vinícius
Abrantes Barreto Cardoso Duarte Falcão Guimarães Leitão Nogueira Peixoto Queirós Rezende Teixeira Vasconcelos
Sanne Joris Femke Bram Lotte Sjoerd Maartje Thijs Anouk Ruben Wouter Jolien Pieter Eline Koen Marieke
Achterhof Boersma Cuypers Dijkema Elzinga Goossens Hoekstra Jansma Kuipers Meulenbelt Nijhuis van~der~Veen
Astrid Søren Ingrid Håkon Maja Bjørn Linnea Sindre Åsa Magnus Signe Øystein Ebba Torsten Liv Anders
Bergqvist Dahlström Ekdahl Fjeldstad Grønvold Hagelin Isaksen Kvamme Lundmark Moberg Nygård Sjöberg Tveit
Aino Juhani Elina Mikko Päivi Antti Sanna Ville Kaisa Eero Riikka Olli Helmi Tuomas Venla Jukka
Ahokas Haapala Heiskanen Jokela Kauppinen Lehtola Mäkelä Niskanen Ojala Peltonen Rautio Tuominen Uusitalo
Łukasz Agnieszka Paweł Zuzanna Michał Katarzyna Wojciech Małgorzata Bartosz Kinga Grzegorz Weronika Szymon
Adamczyk Czajka Dudek Filipiak Gołąb Jabłonka Krawczyk Lisiecki Majchrzak Nawrot Ostrowicz Rogala Sobczak
Ondřej Tereza Vojtěch Kateřina Matěj Eliška Radek Barbora Štěpán Markéta Jiří Lenka
Bartoš Čermák Dvořáček Hrubý Koubek Malina Pospíšil Říha Šebesta Vlček Zíka Žák
Zoltán Ildikó Balázs Réka Levente Boglárka Gergő Zsófia
Szalai Takács Vörös Bárány Lukácsy Erdélyi Somogyi Halmos
Bogdan Ioana Răzvan Mihaela Ștefan Cătălina Sorin Anca
Munteanu Dragomir Văcaru Lupescu Păduraru Cojocaru Ciobanu Stănescu
Dmytro Oksana Andriy Iryna Pavlo Halyna Artem Darya Maksym Svitlana Ruslan Polina Taras Vira
Bondarchuk Chernenko Dovzhyk Fedorenko Hrytsenko Ivashko Kovalyk Marchuk Ostapenko Romanyuk Sidorchuk
Emre Zeynep Burak Elif Kerem Defne Ozan Gülşen Tolga Nazlı Onur Ebru Çağlar Yasemin Serkan Pınar
Akgündüz Çelikkol Demirbaş Erdoğmuş Gürbüz Işıkdağ Karaca Küçükoğlu Özbilgin Pektaş Sarıgül Uçarlı Yurtsever
Omar Layla Youssef Nadia Karim Samira Tariq Yasmine Hamza Farah Bilal Rania Idris Leila Mehdi Salma
Abdelnour Benhaddou Chahine Daoudi El~Amrani Fakhouri Ghanem Haddadin Jaziri Nasrallah Qabbani Rahmouni Zeidan
Aarav Priya Rohan Ananya Vikram Meera Karthik Divya Arjun Kavya Siddharth Ishita Nikhil Pooja Rahul Shreya
Acharya Chaudhary Deshpande Gokhale Iyengar Joshi Kulkarni Lakhani Mahajan Nambiar Pillai Raghavan Saxena
Haruto Yui Sōta Aoi Ren Hina Kaito Sakura Daiki Mio Yūki Rin Takumi Emi Shōta Naoko
Aizawa Fujimori Hamasaki Ishizuka Kawabata Kuribayashi Matsunaga Nishioka Okamura Shibuya Takeuchi Uchida
Wei Meiling Jian Xinyi Haoran Yating Zihan Lihua Chengyu Yuxuan Peiyi Kaiwen
Chen Huang Liang Zhou Xu Tang Guo Lin Shao Pan Qiu Deng
Minjun Seoyeon Jiho Hayoon Dowon Eunji Taeyang Sora Jaewon Yerin
Kwon Baek Hwang Noh Yoon Seo Shin Jeong Bang Cha
Linh Minh Thảo Quân Ngọc Tuấn Hạnh Khánh
Nguyễn Trần Đặng Phạm Huỳnh Hoàng Võ Bùi
Dewi Rizky Putri Bayu Ayu Wahyu Ratna Dimas
Prasetyo Santoso Wijaya Kusuma Hartono Lestari Nugroho Saputra
Chidi Nneka Ayodele Temitope Ifeoma Emeka Folake Tunde
Adeyinka Chukwu Eze Nwosu Okafor Balogun Oyelaran Afolayan
Kwame Abena Kofi Akosua Yaw Esi
Boateng Danquah Osei Amponsah Asante Frimpong
Wanjiru Otieno Akinyi Mwangi Njeri Kiprono
Gathoni Kamau Wekesa Odhiambo Mutua Kiplagat
Zanele Thabo Lindiwe Sipho Nomvula Tendai
Mokoena Moyo Ndlovu Sithole Tshabalala Dlamini""".splitlines()
NAMES = tuple(
    (given.replace("~", " "), family.replace("~", " "))
    for line, below in zip(_NAME_LISTS[::2], _NAME_LISTS[1::2], strict=True)
    for given in line.split()
    for family in below.split()
)
PHOTOGRAPHERS = len(NAMES)
# In the 162 real records 143 photographers appear: most once, a few again and again. These numbers give the
# same.
FREQUENT = 40
_FREQUENT_SHARE = 0.2
_FREQUENT_WEIGHTS = tuple(accumulate(1 / (rank + 3) for rank in range(FREQUENT)))

# fmt: off
_BIO_OPENINGS = (
    "Photographer", "Amateur photographer", "Photographer and designer", "Freelance photographer",
    "Software engineer with a camera", "Teacher, hiker, photographer", "Visual storyteller",
    "Film and digital", "Landscape photographer", "Student of architecture", "Just a hobby 📷",
    "Father of two. Photos on Sundays", "Nurse by day, stargazer by night")
_BIO_ENDINGS = (
    "", ".", " based in {place}.", " from {place}. Mostly outdoors.", " in {place} ✨", " | {place} | he/him",
    ". Prints and commissions: write to me.", ".\r\nThank you for the credit!", " | she/her",
    ", always looking for the light.", ". If you use a photo, tag me: @{username}")
# fmt: on


def _photographer_number(rng: Random) -> int:
    if rng.random() < _FREQUENT_SHARE:
        return rng.choices(range(FREQUENT), cum_weights=_FREQUENT_WEIGHTS)[0]
    return FREQUENT + int(rng.random() * (PHOTOGRAPHERS - FREQUENT))


def _user(seed: int, number: int, api: str, images: str) -> dict[str, Any]:
    """The `user` object of photographer `number` (0..PHOTOGRAPHERS-1): the same in all of their photos."""
    rng = Random(f"{seed}/photographer/{number}")
    # A step without common factors with the number of names visits all of them, and neighbours differ in
    # culture.
    given, family = NAMES[number * 1931 % PHOTOGRAPHERS]
    # Given and family name stand in every username, so that no two photographers share one.
    parts = [_plain(given).replace("-", ""), _plain(family).replace("-", "")]
    username = _pick(rng, ("{}{}", "{}{}", "{}_{}", "{1}{0}", "{}{}_photo", "{0}{1}{2}")).format(
        *parts, int(rng.random() * 97) + 3
    )
    last_name = family if rng.random() >= 0.1 else None
    place = _pick(rng, PLACES)[0]
    bio = (_pick(rng, _BIO_OPENINGS) + _pick(rng, _BIO_ENDINGS)).format(place=place, username=username)
    # ".example" is reserved (RFC 2606): an invented portfolio leads nowhere.
    portfolio = f"https://{username.replace('_', '-')}.example" if rng.random() < 0.55 else None
    instagram = username if rng.random() < 0.65 else None
    twitter = username[:15] if rng.random() < 0.2 else None
    joined = 1_380_000_000_000 + int(rng.random() * 320_000_000_000)
    portrait = f"{images}/profile-{joined}-{_letters(rng, HEX_DIGITS, 12)}image"
    portrait += f"?ixlib={IMAGE_LIBRARY}&crop=faces&fit=crop"
    photos = max(6, int(math.exp(rng.gauss(4.6, 1.1))))
    if number < FREQUENT:
        photos += 700
    return {
        "id": _letters(rng, ID_LETTERS, 11),
        "username": username,
        "name": f"{given} {last_name}" if last_name else given,
        "first_name": given,
        "last_name": last_name,
        "portfolio_url": portfolio,
        "bio": bio if rng.random() >= 0.21 else None,
        "location": place if rng.random() >= 0.25 else None,
        "links": {
            "self": f"{api}/users/{username}",
            "html": f"https://unsplash.com/@{username}",
            "photos": f"{api}/users/{username}/photos",
            "likes": f"{api}/users/{username}/likes",
            "portfolio": f"{api}/users/{username}/portfolio",
        },
        "profile_image": {
            "small": f"{portrait}&w=32&h=32",
            "medium": f"{portrait}&w=64&h=64",
            "large": f"{portrait}&w=128&h=128",
        },
        "instagram_username": instagram,
        "twitter_username": twitter,
        "total_likes": int(math.exp(rng.gauss(3.5, 2.0))),
        "total_photos": photos,
        "total_collections": int(rng.random() ** 3 * 30),
        "accepted_tos": True,
        "for_hire": rng.random() < 0.5,
        "social": {
            "instagram_username": instagram,
            "portfolio_url": portfolio,
            "twitter_username": twitter,
            "paypal_email": None,
        },
    }


# --------------------------------------------------------------------------------------------------
# The catalogue
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """What the server and the drawing need to know of one photo."""

    index: int  # 0..size-1
    id: str  # 11 of [A-Za-z0-9_-]; different from all others even without regard to case
    image: str  # path segment of the image address; its first number is the upload in ms since 1970
    seed: int  # of the scene, for `scenes.draw`
    width: int  # of the original, pixels
    height: int
    orientation: str  # landscape | portrait | squarish

    @property
    def uploaded(self) -> int:
        """Seconds since 1970."""
        return int(self.image.split("-", 2)[1]) // 1000

    @property
    def premium(self) -> bool:
        """One of Unsplash's paid photos, about 5 % of what the API returns."""
        return self.image.startswith("premium_")


class Catalogue:
    """All photos of one practice server.

    `size` photos are listed, of which the first `pictures` are drawn; later ones show picture
    `index % pictures` under an id of their own. `colours` holds the colour ("#rrggbb") that was measured from
    each drawn picture, by picture number; a picture without one has a null colour, as the API allows.

    Photo `index` depends on `seed` and `pictures` alone: a small catalogue is the beginning of a larger one.
    """

    def __init__(
        self,
        size: int = 1500,
        seed: int = 2026,
        colours: Mapping[int, str] | None = None,
        pictures: int = 1500,
    ) -> None:
        if size < 0 or pictures < 1:
            raise ValueError(f"size must be at least 0 and pictures at least 1, not {size} and {pictures}")
        self.seed, self.pictures, self.colours = seed, pictures, dict(colours or {})
        self._by_id: dict[str, Entry] = {}
        self._by_image: dict[str, Entry] = {}
        self._scenes: dict[int, tuple[Scene, set[str]]] = {}
        taken: set[str] = set()  # ids become file names, and Windows does not tell "a.jpg" from "A.jpg"
        entries: list[Entry] = []
        for index in range(size):
            rng = Random(f"{seed}/entry/{index}")
            photo_id = _letters(rng, ID_LETTERS, 11)
            while photo_id.casefold() in taken:
                photo_id = _letters(rng, ID_LETTERS, 11)
            taken.add(photo_id.casefold())
            # Premium photos carry this name in the real API too, but there they live on a host of their own,
            # plus.unsplash.com. Here all images come from one host: practice has a single image server, and a
            # client that takes the addresses as they come needs no special case for either.
            kind = "premium_photo" if rng.random() < PREMIUM_SHARE else "photo"
            uploaded = round((SNAPSHOT - DAY * _between(AGE_DAYS, rng.random())) * 1000)
            image = f"{kind}-{uploaded}-{_letters(rng, HEX_DIGITS, 12)}"
            while image in self._by_image:
                image = f"{kind}-{uploaded}-{_letters(rng, HEX_DIGITS, 12)}"
            if index < pictures:
                shot = _shot(seed, index)
                entry = Entry(index, photo_id, image, shot.seed, shot.width, shot.height, shot.orientation)
            else:
                entry = replace(entries[index % pictures], index=index, id=photo_id, image=image)
            entries.append(entry)
            self._by_id[photo_id] = self._by_image[image] = entry
        self.entries: tuple[Entry, ...] = tuple(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, photo_id: str) -> Entry | None:
        """The photo with exactly this id (case counts, as in the API)."""
        return self._by_id.get(photo_id)

    def find_image(self, image: str) -> Entry | None:
        """The photo whose image address has this path segment."""
        return self._by_image.get(image)

    def select(self, query: str | None = None, orientation: str | None = None) -> list[Entry]:
        """Photos of an orientation whose scene has all words of `query`; case and plural s don't count."""
        wanted = _words(query or "")
        return [
            entry
            for entry in self.entries
            if (orientation is None or entry.orientation == orientation)
            and (not wanted or wanted <= self._scene(entry)[1])
        ]

    def record(self, entry: Entry, api: str, images: str, full: bool = True) -> dict[str, Any]:
        """The JSON item of one photo, as `GET /photos/random` and `GET /photos/:id` give it.

        `api` and `images` are the addresses of the two hosts, such as "http://127.0.0.1:8080". Without `full`
        it is the shorter item of `GET /photos` (Unsplash API documentation, "List photos").
        """
        rng = Random(f"{self.seed}/record/{entry.index}")
        scene = self._scene(entry)[0]
        camera = _shot(self.seed, entry.index % self.pictures).camera
        exif, location = _exif(rng, camera, scene.night), _location(rng)
        likes, views, downloads = _popularity(rng, entry)
        created, zulu = entry.uploaded, rng.random() < 0.75
        updated = SNAPSHOT - (SNAPSHOT - created) * rng.random() ** 3 * 0.999
        promoted = min(updated, created + DAY * 20 * rng.random() ** 3) if rng.random() < 0.55 else None
        alt = scene.description if rng.random() >= 0.007 else None
        description = _caption(rng, scene, location, exif, created) if rng.random() >= 0.69 else None
        slug = f"{_plain(alt)}-{entry.id}" if alt else entry.id
        colour = self.colours.get(entry.index % self.pictures)
        ixid = _ixid(entry)
        record = {
            "id": entry.id,
            "slug": slug,
            "alternative_slugs": dict.fromkeys(SLUG_LANGUAGES, slug),  # in English: nothing here translates
            "created_at": _iso(created, zulu),
            "updated_at": _iso(updated, zulu),
            "promoted_at": None if promoted is None else _iso(promoted, zulu),
            "width": entry.width,
            "height": entry.height,
            "color": colour,
            "blur_hash": _blur_hash(rng, colour) if rng.random() >= 0.01 else None,
            "description": description,
            "alt_description": alt,
            "breadcrumbs": [],
            "urls": _urls(entry, images, ixid),
            "links": {
                "self": f"{api}/photos/{entry.id}",
                "html": f"https://unsplash.com/photos/{slug}",
                "download": f"https://unsplash.com/photos/{entry.id}/download?ixid={ixid}",
                "download_location": f"{api}/photos/{entry.id}/download?ixid={ixid}",
            },
            "likes": likes,
            "liked_by_user": False,
            "current_user_collections": [],
            "sponsorship": None,
            "topic_submissions": _topics(rng, created, updated, zulu),
            "asset_type": "photo",
            "user": _user(self.seed, _photographer_number(rng), api, images),
        }
        if full:
            record |= {"exif": exif, "location": location, "views": views, "downloads": downloads}
        return record

    def _scene(self, entry: Entry) -> tuple[Scene, set[str]]:
        """The scene of an entry's picture and the words to search it by, kept for the next request."""
        picture = entry.index % self.pictures
        if picture not in self._scenes:
            scene = describe(entry.seed, entry.orientation)
            self._scenes[picture] = scene, _words(" ".join((scene.description, *scene.tags)))
        return self._scenes[picture]


def _popularity(rng: Random, entry: Entry) -> tuple[int, int, int]:
    """Likes, views, downloads: each distributed as measured, all driven by one fame, which grows with age."""
    age = (SNAPSHOT - entry.uploaded) / DAY
    share = min(max(_between([(days, part) for part, days in AGE_DAYS], age), 0.001), 0.999)
    # 0.3² + 0.954² = 1: again a standard normal
    fame = 0.3 * NORMAL.inv_cdf(share) + 0.954 * rng.gauss(0, 1)
    weights = (0.8, 0.88, 0.88)
    ranks = [NORMAL.cdf(weight * fame + math.sqrt(1 - weight**2) * rng.gauss(0, 1)) for weight in weights]
    if entry.premium:  # not counted by the API, and liked less, since fewer see them
        return round(_between_ratios(LIKES, 0.6 * ranks[0])), 0, 0
    # the zeros of premium photos come first
    free = [PREMIUM_SHARE + (1 - PREMIUM_SHARE) * rank for rank in ranks]
    likes, views = round(_between_ratios(LIKES, ranks[0])), round(_between_ratios(VIEWS, free[1]))
    return likes, views, min(views // 5, round(_between_ratios(DOWNLOADS, free[2])))


def _ixid(entry: Entry) -> str:
    """The tracking code of an image address; real ones are base64 of fields between bars, too."""
    text = f"3|650341|0|1|random|||||||||{SNAPSHOT + entry.index}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _urls(entry: Entry, images: str, ixid: str) -> dict[str, str]:
    """The six image addresses, with the parameters of recorded answers in their order."""
    base, code = f"{images}/{entry.image}", f"ixid={ixid}&ixlib={IMAGE_LIBRARY}"
    fitted = f"{base}?crop=entropy&cs=tinysrgb&fit=max&fm=jpg&{code}&q=80&w="
    return {
        "raw": f"{base}?{code}",
        "full": f"{base}?crop=entropy&cs=srgb&fm=jpg&{code}&q=85",
        "regular": f"{fitted}1080",
        "small": f"{fitted}400",
        "thumb": f"{fitted}200",
        # In the real API a copy at Amazon, w=400; here it is on the same host, so that nothing leaves this
        # machine.
        "small_s3": f"{base}?fm=jpg&q=80&w=400",
    }


def _blur_hash(rng: Random, colour: str | None) -> str:
    """A valid hash of 4 x 3 components (https://blurha.sh): the mean colour, then random waves."""
    mean = int(rng.random() * 2**24)  # drawn in any case: what follows must not depend on the colour
    if colour:
        mean = int(colour[1:], 16)
    waves = [int(rng.random() * 19**3) for _ in range(11)]
    values = [(21, 1), (int(rng.random() * 60), 1), (mean, 4), *((wave, 2) for wave in waves)]
    places = [(value, place) for value, digits in values for place in reversed(range(digits))]
    return "".join(BLUR_HASH_DIGITS[value // 83**place % 83] for value, place in places)


def _topics(rng: Random, created: float, updated: float, zulu: bool) -> dict[str, dict[str, str]]:
    """The `topic_submissions` object: empty for most; a date of approval only where it was approved."""
    topics: dict[str, dict[str, str]] = {}
    for _ in range(_pick(rng, (0, 0, 0, 0, 0, 0, 1, 1, 1, 2))):
        status = _pick(rng, ("approved", "approved", "rejected", "unevaluated"))
        topic = topics[_pick(rng, TOPICS)] = {"status": status}
        if status == "approved":
            topic["approved_on"] = _iso(min(updated, created + DAY * 60 * rng.random()), zulu)
    return topics


# fmt: off
_CAPTIONS = (
    "{scene}", "{scene}.", "{tag}", "{tag} / {other}", "{tag} and {other}, {month} {year}", "{tag}, {year}",
    "{where}", "{where}, {month} {year}", "The best part of a long walk.", "{scene}\n\n{camera}",
    "Early start, worth it.", "#{hash} #{otherhash}", "{tag} study", "One of my favourites from {year}",
    "{tag} series, {number} of 12", "Shot on {camera}")
# fmt: on


def _caption(
    rng: Random,
    scene: Scene,
    location: dict[str, Any],
    exif: dict[str, Any],
    created: float,
) -> str:
    """What a photographer might write under a photo of this scene."""
    tags = scene.tags or (scene.kind,)
    first = int(rng.random() * len(tags))
    tag, other = tags[first], tags[(first + 1) % len(tags)]
    day = datetime.fromtimestamp(created, UTC)
    return _pick(rng, _CAPTIONS).format(
        scene=scene.description[:1].upper() + scene.description[1:],
        tag=tag.capitalize(),
        other=other,
        hash=tag.replace(" ", ""),
        otherhash=other.replace(" ", ""),
        month=day.strftime("%B"),
        year=day.year,
        where=location["name"] or tag.capitalize(),
        camera=(exif["name"] or "film").replace(", ", " "),
        number=1 + int(rng.random() * 12),
    )
