"""Where photos come from: Unsplash, or a practice server that speaks the same language. It alone knows both."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from kit import transport
from kit.display import progress_line
from kit.errors import KeyRejected, QuotaReached, SourceError, interruptible
from kit.files import CACHE, delete_leftovers
from kit.items import Photo, is_id
from kit.settings import Secret, Settings

if TYPE_CHECKING:
    from tqdm import tqdm

    from practice import PracticeServer

UNSPLASH = "https://api.unsplash.com"
UNSPLASH_IMAGES = ("https://images.unsplash.com", "https://plus.unsplash.com")  # plus: premium photos
PER_PAGE = 30  # the most that one request returns (Unsplash API documentation, "Get a random photo")


@dataclass(eq=False)
class Source:
    """Where photos come from: Unsplash, or a practice server that speaks the same language.

    Attributes:
        name: in words, for messages.
        slug: for the name of the metadata cache.
        api: address of the API, without a slash at the end.
        image_hosts: scheme and host of image addresses; a photo from elsewhere is refused.
        key: the access key; it is sent to `api` alone.
        dataset: the file with the metadata, if they are not asked for.
        remaining: requests left in this hour, as the last answer said.
    """

    name: str
    slug: str
    api: str
    image_hosts: Sequence[str]
    key: Secret
    server: PracticeServer | None = None
    dataset: Path | None = None
    remaining: int | None = None

    def __repr__(self) -> str:
        return f"<Source: {self.name}>"

    def describe(self) -> str:
        """One sentence for the reader of a timing."""
        if self.dataset:
            return f"Photos come from Unsplash; their metadata from {self.name}, without a key."
        if self.server is None:
            return f"Photos come from Unsplash with your access key {self.key}."
        return (
            f"Photos come from the practice server on this machine, without a key: median latency "
            f"{self.server.latency * 1000:.0f} ms, "
            + (f"{self.server.bandwidth * 8 / 1e6:.0f} Mbit/s" if self.server.bandwidth else "no limit of bandwidth")
            + " per connection."
        )

    def server_cpu(self) -> float:
        """CPU seconds that the practice server has used so far; 0 for Unsplash."""
        return self.server.cpu() if self.server else 0.0

    def close(self) -> None:
        """Stop the practice server, if this is one."""
        if self.server:
            self.server.close()

    def get(self, path: str, **parameters: object) -> Any:
        """One API request; returns the decoded JSON.

        Raises:
            KeyRejected, QuotaReached, SourceError: the text says what to do.
        """
        address = self.api + path + (f"?{urlencode(parameters)}" if parameters else "")
        retried = transport.RETRIED - {429}  # here it means the quota
        try:
            answer = transport.fetch(address, self.key, retried, _not_json)
        except transport.NoAnswer as problem:
            trouble = f"it answered with {problem}" if str(problem).startswith("status ") else problem
            raise SourceError(
                f"{self.name} can't be used now: {trouble}. Check the network and run this cell again."
            ) from None
        self.remaining = transport.whole_number(answer.headers.get("X-Ratelimit-Remaining"), self.remaining)
        if answer.status == 200:
            return json.loads(answer.body)
        if answer.status == 401:
            raise KeyRejected(
                f"{self.name} refused the access key {self.key}. Copy the Access Key (not the Secret key) "
                "of your application into config.ini, or leave it empty to use the practice server."
            )
        if answer.status == 429 or (answer.status == 403 and b"rate limit" in answer.body.lower()):
            raise QuotaReached(f"The hourly quota of {self.name} is used up.")
        raise SourceError(f"{self.name} answered {path} with status {answer.status}.")

    def photos(self, records: Sequence[dict], quality: str = "regular") -> list[Photo]:
        """What to download: id and image address of each record, checked.

        A record without a proper id, or with an image on a host that the source does not own, is left out and
        named in one printed line.
        """
        photos, refused = [], []
        for record in records:
            urls = record.get("urls")
            found = urls.get(quality) if isinstance(urls, dict) else ""
            url = found if isinstance(found, str) else ""
            try:
                parts = urlsplit(url)
            except ValueError:  # such as "https://["
                parts = urlsplit("")
            if self.server and parts.netloc:  # cached addresses name the port of an earlier practice server
                parts = urlsplit(self.image_hosts[0])._replace(path=parts.path, query=parts.query)
                url = urlunsplit(parts)
            if is_id(record.get("id")) and f"{parts.scheme}://{parts.netloc}" in self.image_hosts:
                photos.append(Photo(record["id"], url))
            else:
                name = str(record.get("id"))[:20]
                refused.append("".join(letter if letter.isprintable() else "?" for letter in name))
        if refused:
            print(f"Records without a usable id or image address, left out: {len(refused)} ({', '.join(refused[:5])}).")
        return photos


def connect(settings: Settings) -> Source:
    """Open the source that the settings ask for: a dataset, or Unsplash with an access key, else the practice server.

    The practice server's photographs are drawn first if they are not on disk yet. What an earlier run left behind when
    it was killed is deleted.

    Raises:
        SourceError: the practice server does not start; the text says why.
        Interrupted: the text says what to do.
    """
    delete_leftovers()
    if settings.dataset:
        path = Path(settings.dataset)
        path = min(path.glob("photos.[ct]sv*"), default=path)  # of a folder, its table of photos
        return Source(f"the dataset in {path.name}", "dataset", "", UNSPLASH_IMAGES, Secret(), dataset=path)
    if settings.access_key:
        return Source("Unsplash", "unsplash", UNSPLASH, UNSPLASH_IMAGES, settings.access_key)
    import practice

    def so_far() -> str:
        return "the practice server had not started yet. Run this cell again: only what is not drawn yet will be drawn."

    with interruptible(so_far), contextlib.ExitStack() as stack:
        lines: list[tqdm] = []

        def report(done: int, total: int) -> None:
            if not lines:
                lines.append(stack.enter_context(progress_line(total, "Drawing practice photos, once")))
            lines[0].update(done - lines[0].n)

        try:
            server = practice.start(
                CACHE / "practice",
                photos=settings.photos,
                seed=settings.seed,
                latency=settings.latency_ms / 1000,
                bandwidth=settings.bandwidth_mbit * 1e6 / 8,
                quota=settings.quota,
                report=report,
            )
        except practice.PracticeError as problem:
            raise SourceError(str(problem)) from None
    slug = "-".join(filter(None, ("practice", str(settings.photos), server.version, settings.seed)))
    return Source("the practice server", slug, server.api, (server.images,), Secret(server.key), server)


def _not_json(body: bytes) -> str:
    """Why these bytes are no JSON, or ""."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return "the answer is not JSON (a log-in page of the Wi-Fi?)"
    return ""
