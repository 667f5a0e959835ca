"""Answers HTTP requests as api.unsplash.com and images.unsplash.com do, on two ports of 127.0.0.1.

The wire format follows the Unsplash API documentation (https://unsplash.com/documentation). Built on Tornado,
which Jupyter installs anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import math
import random
import re
import secrets
import socket
import struct
import traceback
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from time import monotonic, process_time, time
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from PIL import Image
from tornado import httpserver, httputil, iostream, netutil
from tornado.http1connection import HTTP1Connection

from practice.catalogue import Catalogue, Entry
from practice.pictures import QUALITY, path_of, regular_size

Request = httputil.HTTPServerRequest
Handler = Callable[[Request], Awaitable["Answer"]]

PER_PAGE = 30  # most photos that one API request returns
CHUNK = 65536  # bytes written at once when the bandwidth is limited
RATE_LIMITED = "Rate Limit Exceeded"  # plain text, not JSON, as Unsplash answers it

# What a rule of /practice/faults may ask for.
FAULTS = (
    "delay",  # answer after `value` more seconds
    "500", "502", "503", "429", "401", "quota", "quota-json",  # that status; 502 with HTML, 503 with Retry-After
    "reset",  # connection reset before the answer
    "silence",  # no answer at all, not even headers
    "cut",  # half of the body, then the connection ends
    "stall",  # headers and half of the body, then silence
    "drip", "drip-head",  # a byte of the body every `value` seconds; of the headers as well
    "long",  # more bytes than announced
    "empty", "html", "json", "png", "webp", "truncated", "corrupt", "scrambled",  # 200, but not the photo
    "redirect",  # 302 to `value`
    "404", "410",  # gone
)  # fmt: skip


@dataclass
class Answer:
    """One HTTP answer before it is sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def as_json(data: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(data).encode(), {"Content-Type": "application/json"})


def error(status: int, text: str) -> Answer:
    return as_json({"errors": [text]}, status)


class BadParameter(ValueError):
    """A query parameter has an impossible value."""


class Server:
    """State of one practice server: catalogue, quota, deck of random photos, fault rules and counts.

    The drawn pictures are in `folder`; what the other options mean is in `practice.OPTIONS`.
    """

    def __init__(self, catalogue: Catalogue, folder: Path, *, latency: float, spread: float, bandwidth: float,
                 quota: int, hour: float, repeats: float):  # fmt: skip
        self.catalogue, self.folder = catalogue, folder
        self.latency, self.spread, self.bandwidth = latency, spread, bandwidth
        self.quota, self.hour, self.repeats = quota, hour, repeats
        self.key = secrets.token_urlsafe(24)
        self.api = self.images = ""
        self.window, self.used = time() // hour, 0
        self.deck: list[Entry] = []
        self.dealt: list[Entry] = []
        self.rules: list[dict] = []
        self.hits: Counter = Counter()
        self.stats: Counter = Counter()
        self.sent: Counter[str] = Counter()  # photo id -> how often its image was asked for and found
        self.in_flight = 0

    # --- HTTP ---------------------------------------------------------------------------------------------

    def listen(self, port: int = 0) -> None:
        """Open both ports on 127.0.0.1; `port` 0 lets the system pick the API's."""
        self.api, self.images = self._open(self._api, port), self._open(self._image, 0)

    def _open(self, handler: Handler, port: int) -> str:
        server = httpserver.HTTPServer(
            lambda request: asyncio.ensure_future(self._serve(request, handler)),
            max_header_size=16384, max_body_size=65536, idle_connection_timeout=60, body_timeout=10,
        )  # fmt: skip
        sockets = netutil.bind_sockets(port, "127.0.0.1", family=socket.AF_INET, backlog=1024)
        server.add_sockets(sockets)
        return f"http://127.0.0.1:{sockets[0].getsockname()[1]}"

    async def _serve(self, request: Request, handler: Handler) -> None:
        is_image = handler == self._image
        self.in_flight += is_image
        self.stats["peak"] = max(self.stats["peak"], self.in_flight)
        try:
            host = urlsplit(self.images if is_image else self.api).netloc
            if request.host not in (host, host.replace("127.0.0.1", "localhost")):
                answer = error(400, "Unknown host")
            elif request.method not in ("GET", "HEAD") and not request.path.startswith("/practice/"):
                answer = error(405, "Only GET is served here")
            else:
                answer = await handler(request)
            await self._send(request, answer, self._fault(request))
        except iostream.StreamClosedError:
            pass  # the client has gone
        except Exception:  # noqa: BLE001 - whatever breaks, the server goes on
            traceback.print_exc()
            with contextlib.suppress(Exception):  # the answer may have begun already
                await self._send(request, error(500, "Something went wrong in the practice server"), None)
        finally:
            self.in_flight -= is_image

    def wait_for(self, uri: str) -> float:
        """Seconds of latency for this address: log-normal around the median, the same at each request."""
        share = (zlib.crc32(uri.split("?")[0].encode()) + 0.5) / 2**32
        return self.latency * math.exp(self.spread * NormalDist().inv_cdf(share))

    async def _send(self, request: Request, right: Answer, fault: dict | None) -> None:
        await asyncio.sleep(self.wait_for(request.uri))
        answer = await self._spoil(request, right, fault) if fault else right
        connection = request.connection
        if not answer or not connection:
            return
        body = b"" if request.method == "HEAD" else answer.body
        headers = httputil.HTTPHeaders({"Content-Type": "text/plain", **answer.headers})
        headers["Content-Length"] = str(len(answer.body))
        line = httputil.ResponseStartLine("HTTP/1.1", answer.status, httputil.responses.get(answer.status, "?"))
        if not self.bandwidth or len(body) * 1000 < self.bandwidth:  # under a millisecond: not worth a timer
            await connection.write_headers(line, headers, body)
        else:
            connection.write_headers(line, headers)
            started = monotonic()
            for end in range(CHUNK, len(body) + CHUNK, CHUNK):
                due = started + min(end, len(body)) / self.bandwidth
                await asyncio.sleep(max(0, due - monotonic()))
                await connection.write(body[end - CHUNK : end])
        connection.finish()

    # --- api.unsplash.com ---------------------------------------------------------------------------------

    async def _api(self, request: Request) -> Answer:
        query = dict(parse_qsl(request.query))
        authorization = request.headers.get("Authorization") or f"Client-ID {query.get('client_id', '')}"
        scheme, _, offered = authorization.partition(" ")
        if scheme != "Client-ID" or not secrets.compare_digest(offered.encode(), self.key.encode()):
            self.stats["refused"] += 1
            return error(401, "OAuth error: The access token is invalid")
        if (window := time() // self.hour) != self.window:  # renewed at the top of the hour
            self.window, self.used = window, 0
        if request.path.startswith("/practice/"):
            return self._control(request)
        if self.used >= self.quota:
            answer = Answer(403, RATE_LIMITED.encode())
        else:
            self.used += 1
            self.stats["requests"] += 1
            try:
                answer = self._route(request.path.rstrip("/"), query)
            except BadParameter as problem:
                answer = error(400, str(problem))
        answer.headers["X-Ratelimit-Limit"] = str(self.quota)
        answer.headers["X-Ratelimit-Remaining"] = str(self.quota - self.used)
        return answer

    def _route(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/photos/random":
            return self._random(query)
        if path == "/photos":
            page, size = _number(query, "page", 1), min(_number(query, "per_page", 10), PER_PAGE)
            entries = self.catalogue.entries[(page - 1) * size : page * size]
            answer = as_json([self._record(entry, full=False) for entry in entries])
            answer.headers |= {"X-Total": str(len(self.catalogue)), "X-Per-Page": str(size)}
            return answer
        found = re.fullmatch(r"/photos/([A-Za-z0-9_-]{1,64})(/download)?", path)
        entry = self.catalogue.find(found[1]) if found else None
        if not found or not entry:
            return error(404, "Couldn't find Photo" if path.startswith("/photos/") else "Not found")
        record = self._record(entry)
        return as_json({"url": record["urls"]["raw"]} if found[2] else record)

    def _record(self, entry: Entry, full: bool = True) -> dict:
        return self.catalogue.record(entry, self.api, self.images, full)

    def _random(self, query: dict[str, str]) -> Answer:
        entries: list[Entry] = []
        for _ in range(min(_number(query, "count", 1), PER_PAGE, len(self.catalogue))):
            entries.append(self._deal(entries))
        records = [self._record(entry) for entry in entries]
        return as_json(records if "count" in query else records[0])  # an array exactly when `count` is given

    def _deal(self, answer: list[Entry]) -> Entry:
        """The next photo of a shuffled deck: unlike the real service no repeats, so that one quota suffices."""
        if self.dealt and random.random() < self.repeats:
            return random.choice(self.dealt)
        if not self.deck:
            self.deck, self.dealt = random.sample(self.catalogue.entries, len(self.catalogue)), []
            self.deck.sort(key=lambda entry: entry not in answer)  # no photo twice in one answer: they come last
        self.dealt.append(self.deck.pop())
        return self.dealt[-1]

    # --- images.unsplash.com ------------------------------------------------------------------------------

    async def _image(self, request: Request) -> Answer:
        if "Authorization" in request.headers or "client_id" in request.uri:
            self.stats["leaks"] += 1
            return error(400, "The access key was sent to the image host: it belongs to the API's host alone")
        entry = self.catalogue.find_image(request.path.removeprefix("/"))
        if not entry:
            return Answer(404, b"Not found")
        query = dict(parse_qsl(request.query))
        try:
            width = min(_number(query, "w", entry.width), entry.width)  # fit=max never enlarges
            quality = min(_number(query, "q", 75), 100)
        except BadParameter as problem:
            return Answer(400, str(problem).encode())
        if (query.get("fm", "jpg"), query.get("fit", "max")) != ("jpg", "max"):
            return Answer(400, b"The practice server knows fm=jpg and fit=max")
        picture = path_of(self.folder, entry.index % self.catalogue.pictures)
        if (width, quality) == (regular_size(entry)[0], QUALITY):
            body = picture.read_bytes()
        else:
            size = (width, max(1, round(width * entry.height / entry.width)))
            body = await asyncio.to_thread(_rendition, picture, size, quality)
        self.stats["images"] += 1
        self.sent[entry.id] += 1
        return Answer(200, body, {"Content-Type": "image/jpeg"})

    # --- faults and counts, for tests and curious students ------------------------------------------------

    def _control(self, request: Request) -> Answer:
        if request.path == "/practice/stats":
            return as_json({name: self.stats[name] for name in ("requests", "images", "peak", "refused", "leaks")}
                           | {"remaining": self.quota - self.used})  # fmt: skip
        if request.path == "/practice/cpu":
            return as_json({"seconds": process_time()})
        if request.path == "/practice/sent":
            return as_json(self.sent)
        if request.path == "/practice/faults" and request.method == "POST":
            try:
                rules = json.loads(request.body)
                for rule in rules:
                    rule["path"], rule["share"] = re.compile(rule["path"]), _finite(rule.get("share", 1))
                    rule["times"] = _finite(rule["times"]) if "times" in rule else math.inf
                    if rule["fault"] not in FAULTS:
                        raise ValueError(rule["fault"])
                    if rule["fault"] in ("delay", "drip", "drip-head"):
                        rule["value"] = _finite(rule["value"])
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError, re.error) as problem:
                return error(400, f"Not a list of fault rules: {problem!r}")
            self.rules = rules
            self.hits.clear()
            return as_json({"rules": len(rules)})
        return error(404, "Not found")

    def _fault(self, request: Request) -> dict | None:
        for number, rule in enumerate(self.rules):
            if rule["path"].search(request.uri) and not request.path.startswith("/practice/"):
                self.hits[number, request.uri] += 1
                attempt = self.hits[number, request.uri]
                # Decided by the address and the attempt, so that a run can be repeated.
                luck = zlib.crc32(f"{number} {attempt} {request.uri}".encode()) / 2**32
                if attempt <= rule["times"] and luck < rule["share"]:
                    return rule
        return None

    async def _spoil(self, request: Request, answer: Answer, rule: dict) -> Answer | None:
        """Apply one fault: returns the answer to send instead, or None if it was dealt with here."""
        fault, value, body = rule["fault"], rule.get("value", 1), answer.body
        middle = len(body) // 2
        half, piece, rest = body[:middle], body[middle : middle + 64], body[middle + 64 :]
        if fault == "delay":
            await asyncio.sleep(value)
            return answer
        replaced = {
            "500": error(500, "Internal error"),
            "502": Answer(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", {"Content-Type": "text/html"}),
            "404": Answer(404, b"Not found"),
            "410": Answer(410, b"Gone"),
            "503": Answer(503, b"", {"Retry-After": str(value)}),
            "429": Answer(429, b"", {"Retry-After": str(value)} if "value" in rule else {}),
            "401": error(401, "OAuth error: The access token is invalid"),
            "quota": Answer(403, RATE_LIMITED.encode(), answer.headers | {"Content-Type": "text/plain"}),
            "quota-json": error(403, RATE_LIMITED),
            "redirect": Answer(302, b"", {"Location": str(value)}),
            "empty": Answer(200, b"", answer.headers),
            "html": Answer(200, b"<html><body>Please log in to the Wi-Fi</body></html>", {"Content-Type": "text/html"}),
            "json": as_json({"status": "ok"}),
            "truncated": Answer(200, half, answer.headers),
            "corrupt": Answer(200, half + bytes(64) + rest, answer.headers),
            "scrambled": Answer(200, half + piece[::-1] + rest, answer.headers),
        }
        if fault in replaced:
            return replaced[fault]
        if fault in ("png", "webp"):
            image = io.BytesIO()
            Image.new("RGB", (64, 64), "teal").save(image, fault)
            return Answer(200, image.getvalue(), answer.headers)
        # The rest breaks HTTP itself, so it is written on the bare connection: at once, then byte by byte.
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        sent = {"cut": head + half, "stall": head + half, "long": head + body + b"more", "drip": head}.get(fault, b"")
        drops = {"drip": body, "drip-head": head + body}.get(fault, b"")
        stream = cast(HTTP1Connection, request.connection).detach()
        try:
            if fault == "reset":
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await stream.write(sent)
            for position in range(len(drops)):
                await stream.write(drops[position : position + 1])
                await asyncio.sleep(value)
            if fault in ("silence", "stall"):
                await stream.read_until_close()  # until the client gives up
        finally:
            stream.close()
        return None


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise BadParameter(f"{name} does not have a valid value")
    return int(text)


def _finite(value: str | float) -> float:
    if not math.isfinite(number := float(value)):  # JSON may hold NaN, and 1e400 is infinite
        raise ValueError(f"{value} is not a finite number")
    return number


def _rendition(picture: Path, size: tuple[int, int], quality: int) -> bytes:
    """The drawn picture at another size (pixels) and JPEG quality."""
    with Image.open(picture) as image:
        image.draft("RGB", size)
        body = io.BytesIO()
        small = image.resize(size, Image.Resampling.BICUBIC)
        small.save(body, "JPEG", quality=quality, icc_profile=image.info["icc_profile"])
    return body.getvalue()
