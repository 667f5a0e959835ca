"""One HTTP exchange, and the one retry loop for API and images. Nothing here knows what the bytes mean."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kit.files import plain
from kit.journal import INTERRUPTED, interrupted, stopping
from kit.settings import Secret

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

TRIES = 4  # how often a request is sent before it counts as failed
BAD_BODY_TRIES = 2  # how often an answer that is not what was asked for may come
TIMEOUT = (5, 20)  # seconds to connect, and between two pieces of an answer
LARGEST = 200_000_000  # bytes of one answer; no photo is as large
RETRIED = frozenset({429, 500, 502, 503, 504})  # statuses that may go away by themselves

# Headers that end in the middle would show a traceback; NoAnswer tells it in plain words.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Answer:
    """What a host answered.

    Attributes:
        waited: seconds between sending the request and the first byte of the answer.
        tries: how often it was asked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    waited: float
    tries: int = 1


class NoAnswer(Exception):
    """There was no answer that can be used; the text says why, in plain words.

    Attributes:
        tries: how often it was asked.
        bad_body: whether the host ended its answer too early, in an orderly way.
        lasting: whether another try is of no use.
        waited: seconds between the last request and the first byte of its answer.
    """

    def __init__(self, text: str, bad_body: bool = False, lasting: bool = False, tries: int = 1, waited: float = 0.0):
        super().__init__(text)
        self.bad_body, self.lasting, self.tries, self.waited = bad_body, lasting, tries, waited


def fetch(
    address: str,
    key: Secret | None = None,
    retried: Container[int] = RETRIED,
    wrong: Callable[[bytes], str] = lambda body: "",
) -> Answer:
    """GET this address. Trouble that may pass is tried again, at most TRIES times in all. Redirects are not followed.

    Args:
        key: an access key to send along, in a header.
        retried: statuses that may go away by themselves; an answer with any other one is returned.
        wrong: says what is wrong with the body of an answer of status 200, or ""; such a one may come BAD_BODY_TRIES
            times.

    Raises:
        NoAnswer: it did not work.
    """
    bad, waited = 0, 0.0
    for attempt in range(1, TRIES + 1):
        retry_after = None
        try:
            answer = replace(_exchange(address, key), tries=attempt)
            waited = answer.waited
            if answer.status in retried:
                trouble, retry_after = f"status {answer.status}", answer.headers.get("Retry-After")
            elif answer.status != 200 or not (trouble := wrong(answer.body)):
                return answer
            else:
                bad += 1
        except NoAnswer as problem:
            trouble, bad = str(problem), BAD_BODY_TRIES if problem.lasting else bad + problem.bad_body
        except ValueError:
            trouble, bad = "the address makes no sense", BAD_BODY_TRIES
        if bad == BAD_BODY_TRIES or attempt == TRIES:
            break
        _back_off(attempt, retry_after)
        if interrupted():
            trouble = INTERRUPTED
            break
    raise NoAnswer(trouble, tries=attempt, waited=waited)


def whole_number(text: str | None, default: int | None = None) -> int | None:
    """The number that a header holds."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,12}", text) else default


def _limited(answer: BaseHTTPResponse) -> bytes:
    """The body of an answer that does not say how long it is.

    Raises:
        NoAnswer: it is longer than any photo.
    """
    body = bytearray()
    while piece := answer.read(1 << 20, decode_content=True):  # for a limit at once, that much memory would be taken
        body += piece
        if len(body) > LARGEST:
            raise NoAnswer("the answer is larger than any photo")
    return bytes(body)


def _exchange(address: str, key: Secret | None) -> Answer:
    """One request and its whole answer.

    Raises:
        NoAnswer: trouble on the way.
        ValueError: the address makes no sense.
    """
    from urllib3.exceptions import HTTPError

    host, headers = _host(address), {}
    if key:
        headers["Authorization"] = f"Client-ID {key.reveal()}"
        headers["Accept-Version"] = "v1"
        headers["Accept-Encoding"] = "gzip"  # unlike images, JSON shrinks
    sent, problem = time.perf_counter(), None
    try:
        answer = host.send(address, headers)
        try:
            waited, told = time.perf_counter() - sent, answer.headers
            if (whole_number(told.get("Content-Length")) or 0) > LARGEST:
                raise NoAnswer("the answer is larger than any photo")
            # At once, not in pieces: every piece costs a turn with the GIL.
            body = answer.read(decode_content=True) if "Content-Length" in told else _limited(answer)
        except BaseException:
            answer.close()  # there may be more to come: another request must not get it
            raise
        finally:
            answer.release_conn()
        return Answer(answer.status, told, body, waited)
    except (OSError, HTTPError) as found:  # a RequestException is an OSError
        if isinstance(found, ValueError) and not host.proxy:  # InvalidURL, LocationParseError
            raise
        problem = _no_answer(found)
    except NoAnswer as found:
        problem = found
    except KeyboardInterrupt:
        pass
    finally:
        headers.clear()  # a traceback that shows variables must not show the key
    if problem and problem.lasting:
        _hosts.clear()  # the environment may be mended before the next call: look again
    # Raised out here, without the exception before: its frames and its request hold the key.
    raise problem or KeyboardInterrupt


class _Host:
    """What all exchanges with a host share: its connections, proxy and certificates, as requests finds them.

    A requests.Session would look these up again for each photo. Its adapter makes the connections, and then they are
    used as the adapter does, without what it does around each request, which costs CPU time (benchmarks/results.md).
    """

    def __init__(self, name: str, local: bool):
        """`local`: a practice server is behind no proxy."""
        import requests
        from requests.utils import select_proxy

        session = requests.Session()
        found = session.merge_environment_settings(name, {}, None, None, None)
        session.trust_env = False  # no password of a .netrc file goes to a host
        session.headers["Accept-Encoding"] = "identity"  # images don't shrink
        self.request = session.prepare_request(requests.Request("GET", name))
        self.proxies = {} if local else dict(found["proxies"])
        self.proxy = select_proxy(name, self.proxies)
        self.verify = found["verify"]
        self._pool: Any = None

    def send(self, address: str, more: Mapping[str, str]) -> Any:
        """A urllib3 answer whose body has not been read yet. `more`: headers.

        Raises:
            ValueError: the address makes no sense.
            OSError, urllib3.exceptions.HTTPError: trouble on the way.
        """
        from urllib3.util import Timeout

        if not self._pool:
            self._open()
        target = _PLAIN.fullmatch(address)
        if target and not self.proxy:
            path = target[1]
        else:
            request = copy.copy(self.request)
            request.prepare_url(address, None)
            path = self._adapter.request_url(request, self.proxies)
        headers = {**self.request.headers, **more}
        connect, read = TIMEOUT
        return self._pool.urlopen(
            "GET", path, headers=headers, redirect=False, assert_same_host=False, preload_content=False,
            decode_content=False, retries=False, timeout=Timeout(connect=connect, read=read),
        )  # fmt: skip

    def _open(self) -> None:
        from requests.adapters import HTTPAdapter

        with _lock:
            if not self._pool:
                adapter = HTTPAdapter(pool_connections=1, pool_maxsize=256)
                pool = adapter.get_connection_with_tls_context(self.request, self.verify, proxies=self.proxies)
                adapter.cert_verify(pool, str(self.request.url), self.verify, None)
                self._adapter, self._pool = adapter, pool


# An address that can be sent as it is; requests looks at any other one.
_PLAIN = re.compile(r"https?://[\w.:-]+(/[!-\"$-~]*)", re.ASCII)


_hosts: dict[tuple[int, str], _Host] = {}
_lock = threading.Lock()


def _host(address: str) -> _Host:
    """Shared by all threads of a process. Keyed by it: a forked worker must not write on its parent's connections."""
    parts = urlsplit(address)
    name = f"{parts.scheme}://{parts.netloc}"
    key = os.getpid(), name
    if not (host := _hosts.get(key)):
        with _lock:
            if not (host := _hosts.get(key)):
                host = _hosts[key] = _Host(name, local=parts.hostname in ("127.0.0.1", "localhost"))
    return host


def _back_off(attempt: int, retry_after: str | None) -> None:
    """Wait before the next try: twice as long each time, with jitter; `Retry-After` up to 10 s is obeyed."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    asked = 0.0
    with contextlib.suppress(InvalidHeader, ValueError, OverflowError):
        asked = min(10, Retry().parse_retry_after(retry_after or "0"))  # seconds, or a date
    stopping.wait(max(0.125 * 2**attempt * random.uniform(0.5, 1.5), asked))


_CUT_OFF = re.compile("IncompleteRead|InvalidChunkLength")
# Words in an exception's text -> what they mean. First, what no other try mends:
_LASTING = {
    "failed: 407": "the proxy wants a name and password (status 407): put them into HTTPS_PROXY as "
    "http://NAME:PASSWORD@HOST:PORT",
    "only use HTTP": "the proxy speaks no TLS: its address in HTTPS_PROXY must begin with http://",
    "SOCKS": "a SOCKS proxy needs one more package: run %pip install pysocks and restart the kernel",
    "Invalid(Proxy)?URL|LocationParse|ProxyScheme": "the address of the proxy makes no sense: it must look like "
    "http://HOST:PORT in HTTPS_PROXY",
    "CA certificate bundle|X509|PEM lib": "REQUESTS_CA_BUNDLE names no file of certificates: correct it or unset it",
    "has expired|not yet valid": "the certificate has expired or is not valid yet (is this computer's clock right?)",
    "(Hostname|IP address) mismatch": "the certificate is for another host (a log-in page of the Wi-Fi?)",
    "CERTIFICATE_VERIFY_FAILED": "the certificate could not be checked (is there a proxy?)",
}
_PASSING = {
    "SSLError": "the encrypted connection failed",
    "Tunnel": "it refuses this host",
    "Timeout|timed out": "no answer in time",
    "NameResolution|getaddrinfo|Name or service": "the host's name was not found (no network?)",
    "refused": "the connection was refused",
    _CUT_OFF.pattern: "the answer was cut off",
    "Connection|Chunked|Protocol": "the connection broke off",
}


def _no_answer(problem: Exception) -> NoAnswer:
    """Trouble on the way in a few plain words, without addresses and what else its text may hold."""
    text = f"{type(problem).__name__} {problem}"
    if lasting := next((words for pattern, words in _LASTING.items() if re.search(pattern, text)), ""):
        return NoAnswer(lasting, lasting=True)
    if isinstance(problem, OSError) and problem.strerror and not isinstance(problem, ConnectionError):
        return NoAnswer(plain(problem))
    other = f"trouble of the kind {type(problem).__name__}"
    words = next((words for pattern, words in _PASSING.items() if re.search(pattern, text)), other)
    if "ProxyError" in text:
        words = f"no way through the proxy: {words}"
    return NoAnswer(words, bad_body=bool(_CUT_OFF.search(text)))
