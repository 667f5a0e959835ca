"""One photo of the catalogue (`Entry`), and the JSON item that the API gives for it (`record_of`), part by part.

Which photos there are and how they are found is the catalogue's; exposures are in exif.py, word lists in data.py.
"""

from __future__ import annotations

import base64
import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import accumulate
from random import Random
from statistics import NormalDist
from typing import Any

from practice.scenes import Scene

from .data import (
    AGE_DAYS,
    BIO_ENDINGS,
    BIO_OPENINGS,
    BLUR_HASH_DIGITS,
    CAPTIONS,
    DAY,
    DOWNLOADS,
    FREQUENT,
    FREQUENT_SHARE,
    HEX_DIGITS,
    ID_LETTERS,
    IMAGE_LIBRARY,
    LIKES,
    NAME_LISTS,
    PLACE_LIST,
    PREMIUM_SHARE,
    SLUG_LANGUAGES,
    SNAPSHOT,
    TOPICS,
    VIEWS,
)
from .exif import Camera, exif_of
from .sampling import between, between_ratios, letters, pick

PLACES = tuple(
    (name, city or None, country, float(latitude), float(longitude))
    for name, city, country, latitude, longitude in (line.split("|") for line in PLACE_LIST.splitlines())
)
NAMES = tuple(
    (given.replace("~", " "), family.replace("~", " "))
    for line, below in zip(NAME_LISTS[::2], NAME_LISTS[1::2], strict=True)
    for given in line.split()
    for family in below.split()
)
PHOTOGRAPHERS = len(NAMES)
_FREQUENT_WEIGHTS = tuple(accumulate(1 / (rank + 3) for rank in range(FREQUENT)))
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Entry:
    """What the server and the drawing need to know of one photo."""

    index: int  # 0..size-1
    id: str  # 11 of [A-Za-z0-9_-]; different from all others even without regard to case
    image: str  # path segment of the image address; its first number is the upload in ms since 1970
    seed: int  # of the scene, for `scenes.draw`
    width: int  # of the original, pixels
    height: int

    @property
    def uploaded(self) -> int:
        """Seconds since 1970."""
        return int(self.image.split("-", 2)[1]) // 1000

    @property
    def premium(self) -> bool:
        """One of Unsplash's paid photos, about 5 % of what the API returns."""
        return self.image.startswith("premium_")


def record_of(
    seed: int | str,
    entry: Entry,
    scene: Scene,
    camera: Camera | None,
    colour: str | None,
    api: str,
    images: str,
    full: bool,
) -> dict[str, Any]:
    """The JSON item of one photo in the catalogue with this seed; `Catalogue.record` says what it is like."""
    rng = Random(f"{seed}/record/{entry.index}")
    exif, location = exif_of(rng, camera, scene.night), _location(rng)
    likes, views, downloads = _popularity(rng, entry)
    created, zulu = entry.uploaded, rng.random() < 0.75
    updated = SNAPSHOT - (SNAPSHOT - created) * rng.random() ** 3 * 0.999
    promoted = min(updated, created + DAY * 20 * rng.random() ** 3) if rng.random() < 0.55 else None
    alt = scene.description if rng.random() >= 0.007 else None
    description = _caption(rng, scene, location, exif, created) if rng.random() >= 0.69 else None
    slug = f"{_plain(alt)}-{entry.id}" if alt else entry.id
    ixid = _ixid(entry)
    record: dict[str, Any] = {
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
        "user": _user(seed, _photographer_number(rng), api, images),
    }
    if full:
        record |= {"exif": exif, "location": location, "views": views, "downloads": downloads}
    return record


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


def _location(rng: Random) -> dict[str, Any]:
    """The `location` object: mostly unnamed, its position 0.0 in half of all photos and null in a tenth."""
    name, city, country, latitude, longitude = pick(rng, PLACES)
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


def _photographer_number(rng: Random) -> int:
    if rng.random() < FREQUENT_SHARE:
        return rng.choices(range(FREQUENT), cum_weights=_FREQUENT_WEIGHTS)[0]
    return FREQUENT + int(rng.random() * (PHOTOGRAPHERS - FREQUENT))


def _user(seed: int | str, number: int, api: str, images: str) -> dict[str, Any]:
    """The `user` object of photographer `number` (0..PHOTOGRAPHERS-1): the same in all of their photos."""
    rng = Random(f"{seed}/photographer/{number}")
    # A step without common factors with the number of names visits all of them, and neighbours differ in
    # culture.
    given, family = NAMES[number * 1931 % PHOTOGRAPHERS]
    # Given and family name stand in every username, so that no two photographers share one.
    parts = [_plain(given).replace("-", ""), _plain(family).replace("-", "")]
    username = pick(rng, ("{}{}", "{}{}", "{}_{}", "{1}{0}", "{}{}_photo", "{0}{1}{2}")).format(
        *parts, int(rng.random() * 97) + 3
    )
    last_name = family if rng.random() >= 0.1 else None
    place = pick(rng, PLACES)[0]
    bio = (pick(rng, BIO_OPENINGS) + pick(rng, BIO_ENDINGS)).format(place=place, username=username)
    # ".example" is reserved (RFC 2606): an invented portfolio leads nowhere.
    portfolio = f"https://{username.replace('_', '-')}.example" if rng.random() < 0.55 else None
    instagram = username if rng.random() < 0.65 else None
    twitter = username[:15] if rng.random() < 0.2 else None
    joined = 1_380_000_000_000 + int(rng.random() * 320_000_000_000)
    portrait = f"{images}/profile-{joined}-{letters(rng, HEX_DIGITS, 12)}image"
    portrait += f"?ixlib={IMAGE_LIBRARY}&crop=faces&fit=crop"
    photos = max(6, int(math.exp(rng.gauss(4.6, 1.1))))
    if number < FREQUENT:
        photos += 700
    return {
        "id": letters(rng, ID_LETTERS, 11),
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


def _popularity(rng: Random, entry: Entry) -> tuple[int, int, int]:
    """Likes, views, downloads: each distributed as measured, all driven by one fame, which grows with age."""
    age = (SNAPSHOT - entry.uploaded) / DAY
    share = min(max(between([(days, part) for part, days in AGE_DAYS], age), 0.001), 0.999)
    # 0.3² + 0.954² = 1: again a standard normal
    fame = 0.3 * NORMAL.inv_cdf(share) + 0.954 * rng.gauss(0, 1)
    weights = (0.8, 0.88, 0.88)
    ranks = [NORMAL.cdf(weight * fame + math.sqrt(1 - weight**2) * rng.gauss(0, 1)) for weight in weights]
    if entry.premium:  # not counted by the API, and liked less, since fewer see them
        return round(between_ratios(LIKES, 0.6 * ranks[0])), 0, 0
    # the zeros of premium photos come first
    free = [PREMIUM_SHARE + (1 - PREMIUM_SHARE) * rank for rank in ranks]
    likes, views = round(between_ratios(LIKES, ranks[0])), round(between_ratios(VIEWS, free[1]))
    return likes, views, min(views // 5, round(between_ratios(DOWNLOADS, free[2])))


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
    for _ in range(pick(rng, (0, 0, 0, 0, 0, 0, 1, 1, 1, 2))):
        status = pick(rng, ("approved", "approved", "rejected", "unevaluated"))
        topic = topics[pick(rng, TOPICS)] = {"status": status}
        if status == "approved":
            topic["approved_on"] = _iso(min(updated, created + DAY * 60 * rng.random()), zulu)
    return topics


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
    return pick(rng, CAPTIONS).format(
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
