"""A stand-in for Unsplash's real hosts, on loopback: TLS, a proxy in front of it, records and photos in the real form.

A client finds it by the environment alone: `HTTPS_PROXY` is asked for each host by its name, so nothing is looked up
outside of this machine, and `REQUESTS_CA_BUNDLE` names an authority that is made for each stand-in. The proxy opens the
tunnel to itself: what comes through it is answered here as the host that was asked for.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme
from conftest import KEY, jpeg, serving
from PIL import Image, ImageCms

from practice.catalogue import Catalogue

API, IMAGES, PREMIUM = "api.unsplash.com", "images.unsplash.com", "plus.unsplash.com"
PHOTOS = 300
AGAIN = 3  # of the photos of a page, so many were on it or on an earlier one already
QUOTA = 50
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
STORED = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT", "Cache-Control": "public, max-age=315360000"}


@cache
def records() -> list[dict]:
    catalogue = Catalogue(PHOTOS)
    found = json.dumps([catalogue.record(entry, f"https://{API}", f"https://{IMAGES}") for entry in catalogue.entries])
    return json.loads(found.replace(f"{IMAGES}/premium", f"{PREMIUM}/premium"))


@cache
def picture(index: int) -> bytes:
    """A photo that differs from all others."""
    shape = Image.radial_gradient("L")
    colours = Image.merge("RGB", [shape.rotate(index + 120 * n) for n in range(3)])
    return jpeg(colours.resize((360, 240)), icc_profile=PROFILE, comment=str(index).encode())


@dataclass
class StandIn:
    """What a stand-in is and what it saw.

    Attributes:
        every: each photo of so many is gone (404 or 410); 0: none.
        environment: for a process that is to find it, with the access key.
        tunnels: how often the proxy was asked for a way to each host, in vain or not.
        requests: how often each host was asked for each path.
        leaks: where the access key stood, other than in the one header for the API.
    """

    every: int
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    tunnels: Counter[str] = field(default_factory=Counter)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)

    def asked(self, *hosts: str) -> int:
        return sum(times for (host, _), times in self.requests.items() if host in hosts)

    def gone(self, index: int) -> bool:
        return self.every > 0 and index % self.every == self.every // 2


@contextlib.contextmanager
def stand_in(folder: Path, every: int = 0, certificate: str = "", login: str = "") -> Iterator[StandIn]:
    """Start the stand-in.

    Args:
        folder: for the file of the authority.
        certificate: "" for a good one, "expired", "other host", or "unknown": of an authority that nobody knows.
        login: NAME:PASSWORD, without which the proxy answers 407.
    """
    state, lock, hosts, now = StandIn(every), threading.Lock(), (API, IMAGES, PREMIUM), datetime.now(UTC)
    indices = {url: index for index, record in enumerate(records()) for url in record["urls"].values()}
    basic = f"Basic {base64.b64encode(login.encode()).decode()}"
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    (trustme.CA() if certificate == "unknown" else authority).issue_cert(
        *(["login.wifi.example"] if certificate == "other host" else hosts),
        not_before=now - timedelta(days=3),
        not_after=now + timedelta(days=-1 if certificate == "expired" else 1),
    ).configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        protocol_version, host = "HTTP/1.1", "proxy"

        def do_CONNECT(self) -> None:
            name = self.path.removesuffix(":443")
            self.note(state.tunnels, name)
            if login and self.headers["Proxy-Authorization"] != basic:
                return self.answer(407, b"", "text/plain", {"Proxy-Authenticate": 'Basic realm="school"'})
            if name not in hosts:
                return self.answer(403, b"", "text/plain")
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            # From here on, this is the host. A client may ask for a tunnel in HTTP/1.0.
            self.close_connection, self.host = False, name
            self.connection = context.wrap_socket(self.connection, server_side=True)
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            before = self.note(state.requests, (self.host, path))
            if self.host == API:
                return self.answer_as_api(path, before)
            index = indices.get(f"https://{self.host}{self.path}")
            if index is None or state.gone(index):
                return self.answer(410 if index and index % 2 else 404, b"<html>", "text/html")
            self.answer(200, picture(index), "image/jpeg", STORED)

        def answer_as_api(self, path: str, before: int) -> None:
            headers = {"X-Ratelimit-Limit": str(QUOTA), "X-Ratelimit-Remaining": str(max(0, QUOTA - before - 1))}
            if before >= QUOTA:
                return self.answer(403, b"Rate Limit Exceeded", "text/plain", headers)
            status, found = 404, {"errors": ["Couldn't find Photo"]}
            if self.headers["Authorization"] != f"Client-ID {KEY}":
                status, found = 401, {"errors": ["OAuth error: The access token is invalid"]}
            elif path == "/photos/random":
                new = min(30, int(parse_qs(urlsplit(self.path).query)["count"][0])) - AGAIN
                first = before * new
                chosen = [*range(first, first + new), *range(first // 2, first // 2 + AGAIN)]
                status, found = 200, [records()[index % PHOTOS] for index in chosen]
            body = json.dumps(found).encode()
            if "gzip" in self.headers["Accept-Encoding"]:
                body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
            self.answer(status, body, "application/json", headers)

        def answer(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": len(body), **(headers or {})}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def note(self, counter: Counter, key: object) -> int:
            """Count this request, and look for the access key. Returns how many requests the API had before."""
            lines = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items())]
            proper = f"Authorization: Client-ID {KEY}" if self.host == API else ""
            with lock:
                before = state.asked(API)
                counter[key] += 1
                state.leaks += [f"{self.host}: {line}" for line in lines if KEY in line and line != proper]
            return before

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()
            self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        state.environment = {name: text for name, text in os.environ.items() if not name.lower().endswith("_proxy")} | {
            "HTTPS_PROXY": f"http://{login}{'@' * bool(login)}127.0.0.1:{port}",
            "REQUESTS_CA_BUNDLE": str(folder / "authority.pem"),
            "UNSPLASH_ACCESS_KEY": KEY,
        }
        yield state
