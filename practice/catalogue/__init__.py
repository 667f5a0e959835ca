"""The metadata of the practice server: an invented Unsplash, the same on every machine.

A `Catalogue` lists photos (`Entry`), finds and selects them, and writes the JSON item of one of them (`record`) as the
Unsplash API documentation has it (unsplash.com/documentation, "Get a random photo"). How an item is made is in
records.py, exif.py and sampling.py; what it is made of is in data.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from practice.scenes import Scene, describe

from .data import AGE_DAYS, DAY, HEX_DIGITS, ID_LETTERS, PREMIUM_SHARE, SNAPSHOT
from .exif import shot_of
from .records import Entry, record_of
from .sampling import between, letters


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
            while image in self._by_image:
                image = f"{kind}-{uploaded}-{letters(rng, HEX_DIGITS, 12)}"
            if index < pictures:
                shot = shot_of(seed, index)
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
        picture = entry.index % self.pictures
        camera, colour = shot_of(self.seed, picture).camera, self.colours.get(picture)
        return record_of(self.seed, entry, self._scene(entry)[0], camera, colour, api, images, full)

    def _scene(self, entry: Entry) -> tuple[Scene, set[str]]:
        """The scene of an entry's picture and the words to search it by, kept for the next request."""
        picture = entry.index % self.pictures
        if picture not in self._scenes:
            scene = describe(entry.seed, entry.orientation)
            self._scenes[picture] = scene, _words(" ".join((scene.description, *scene.tags)))
        return self._scenes[picture]


def _words(text: str) -> set[str]:
    """The words of `text` for a comparison: without case and without a plural's last s."""
    return {word.removesuffix("s") or word for word in re.findall(r"[^\W_]+", text.casefold())}
