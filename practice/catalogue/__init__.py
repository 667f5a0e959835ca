"""The metadata of the practice server: an invented Unsplash, the same on every machine.

A `Catalogue` lists photos (`Entry`), finds them, and writes the JSON item of one of them (`record`) as the Unsplash API
documentation has it (unsplash.com/documentation, "Get a random photo"). How an item is made is in records.py, exif.py
and sampling.py; what it is made of is in data.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from practice.scenes import describe

from .data import AGE_DAYS, DAY, HEX_DIGITS, ID_LETTERS, PREMIUM_SHARE, SNAPSHOT
from .exif import shot_of
from .records import Entry, record_of
from .sampling import between, letters

DRAWINGS = 2026  # seed of the pictures and their cameras: the same in every catalogue, so they are drawn once


class Catalogue:
    """All photos of one practice server.

    `size` photos are listed, of which the first `pictures` are drawn; later ones show picture
    `index % pictures` under an id of their own. `colours` holds the colour ("#rrggbb") that was measured from
    each drawn picture, by picture number; a picture without one has a null colour, as the API allows.

    Photo `index` depends on `seed` and `pictures` alone: a small catalogue is the beginning of a larger one. Another
    seed, a number or a word, gives the same pictures under other ids, with other likes, downloads, names and dates.
    """

    def __init__(
        self,
        size: int = 1500,
        seed: int | str = DRAWINGS,
        colours: Mapping[int, str] | None = None,
        pictures: int = 1500,
    ) -> None:
        if min(size, pictures) < 1:
            raise ValueError(f"size and pictures must be at least 1, not {size} and {pictures}")
        self.seed, self.pictures, self.colours = seed, pictures, dict(colours or {})
        self._by_id: dict[str, Entry] = {}
        self._by_image: dict[str, Entry] = {}
        taken: set[str] = set()  # ids become file names, and Windows does not tell "a.jpg" from "A.jpg"
        entries: list[Entry] = []
        for index in range(size):
            rng = Random(f"{seed}/entry/{index}")
            photo_id = letters(rng, ID_LETTERS, 11)
            while photo_id.casefold() in taken:
                photo_id = letters(rng, ID_LETTERS, 11)
            taken.add(photo_id.casefold())
            # Premium photos carry this name in the real API too, but there they live on a host of their own,
            # plus.unsplash.com. Here all images come from one host: practice has a single image server, and a
            # client that takes the addresses as they come needs no special case for either.
            kind = "premium_photo" if rng.random() < PREMIUM_SHARE else "photo"
            uploaded = round((SNAPSHOT - DAY * between(AGE_DAYS, rng.random())) * 1000)
            image = f"{kind}-{uploaded}-{letters(rng, HEX_DIGITS, 12)}"
            if index < pictures:
                shot = shot_of(DRAWINGS, index)
                entry = Entry(index, photo_id, image, shot.seed, shot.width, shot.height)
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

    def record(self, entry: Entry, api: str, images: str, full: bool = True) -> dict[str, Any]:
        """The JSON item of one photo, as `GET /photos/random` and `GET /photos/:id` give it.

        `api` and `images` are the addresses of the two hosts, such as "http://127.0.0.1:8080". Without `full`
        it is the shorter item of `GET /photos` (Unsplash API documentation, "List photos").
        """
        picture = entry.index % self.pictures
        shot = shot_of(DRAWINGS, picture)
        scene, colour = describe(shot.seed, shot.orientation), self.colours.get(picture)
        return record_of(self.seed, entry, scene, shot.camera, colour, api, images, full)
