"""With an access key: the real hosts' names and TLS, behind a proxy, played by a stand-in on loopback (standin.py)."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from conftest import KEY, PHOTOS, ROOT, closed_port, copy_project, with_free_ports
from nbclient import NotebookClient
from standin import API, IMAGES, PREMIUM, StandIn, picture, records, stand_in

from helpers import Photo, download_photo
from kit.transport import TRIES

LOGIN = "pupil:Wq7-not-for-your-eyes"
THREADS = 16


def in_a_child(script: str, folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """What a script prints that is run in a process of its own, which looks for proxies afresh."""
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


# --- trouble that no other try mends ------------------------------------------------------------------------------

CHECKED = "the certificate could not be checked (is there a proxy?)"
BUNDLE = "REQUESTS_CA_BUNDLE names no file of certificates: correct it or unset it"
NONSENSE = "the address of the proxy makes no sense: it must look like http://HOST:PORT in HTTPS_PROXY"
# What it is: the stand-in, what is wrong in the environment ({} is its proxy), and the words.
LASTING: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "proxy that wants a password": (
        {"login": LOGIN}, {"HTTPS_PROXY": "http://pupil:Wq7-wrong@{}"},
        "the proxy wants a name and password (status 407): put them into HTTPS_PROXY as "
        "http://NAME:PASSWORD@HOST:PORT",
    ),
    "proxy of an unknown kind": ({}, {"HTTPS_PROXY": f"htp://{LOGIN}@{{}}"}, NONSENSE),
    "proxy with a port that is none": ({}, {"HTTPS_PROXY": f"http://{LOGIN}@proxy:port"}, NONSENSE),
    "SOCKS proxy without its package": (
        {}, {"HTTPS_PROXY": f"socks5://{LOGIN}@{{}}"},
        "a SOCKS proxy needs one more package: run %pip install pysocks and restart the kernel",
    ),
    "proxy without TLS that is asked in TLS": (
        {}, {"HTTPS_PROXY": f"https://{LOGIN}@{{}}"},
        "the proxy speaks no TLS: its address in HTTPS_PROXY must begin with http://",
    ),
    "missing file of certificates": ({}, {"REQUESTS_CA_BUNDLE": str(ROOT / "none.pem")}, BUNDLE),
    "file of certificates that holds none": ({}, {"REQUESTS_CA_BUNDLE": str(ROOT / "LICENSE")}, BUNDLE),
    "certificate that has expired": (
        {"certificate": "expired"}, {},
        "the certificate has expired or is not valid yet (is this computer's clock right?)",
    ),
    "certificate of another host": (
        {"certificate": "other host"}, {}, "the certificate is for another host (a log-in page of the Wi-Fi?)",
    ),
    "certificate of an unknown authority": ({"certificate": "unknown"}, {}, CHECKED),
}  # fmt: skip

ASK = """
import json, os, sys
import helpers

settings, told = helpers.Settings(access_key=helpers.Secret(os.environ["UNSPLASH_ACCESS_KEY"])), []
for environment in json.loads(sys.argv[1]):
    os.environ |= environment
    source, said, photo = helpers.connect(settings), "", helpers.Photo("photo", "https://images.unsplash.com/photo")
    try:
        [photo] = source.photos(helpers.collect_photos(source, 1))
    except helpers.SourceError as problem:
        said = str(problem)
    outcome = helpers.download_photo(photo, "")
    told.append((said, outcome.status, outcome.error, outcome.tries))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list, StandIn]]:
    """What one process says of each trouble in turn, and of none at last; and the stand-in that met it."""
    folder, found = tmp_path_factory.mktemp("told"), {}
    with contextlib.ExitStack() as stack:
        environments = []
        for name, (options, wrong, _) in (LASTING | {"none": ({}, {}, "")}).items():
            found[name] = stack.enter_context(stand_in(tmp_path_factory.mktemp("authority"), **options))
            right = {key: found[name].environment[key] for key in ("HTTPS_PROXY", "REQUESTS_CA_BUNDLE")}
            address = right["HTTPS_PROXY"].removeprefix("http://").rpartition("@")[2]
            environments.append(right | {key: text.format(address) for key, text in wrong.items()})
        output = in_a_child(ASK, folder, found["none"].environment, json.dumps(environments))
    return dict(zip(found, zip(json.loads(output.splitlines()[-1]), found.values(), strict=True), strict=True))


@pytest.mark.parametrize("name", LASTING)
def test_trouble_that_no_other_try_mends_is_told_at_once_and_with_its_remedy(
    told: dict[str, tuple[list, StandIn]], name: str, record_property: Callable
) -> None:
    if "SOCKS" in name and find_spec("socks"):
        pytest.skip("PySocks is installed")
    (said, *outcome), host = told[name]
    words = LASTING[name][2]
    assert said == f"Unsplash can't be used now: {words}. Check the network and run this cell again."
    assert outcome == ["failed", words, 1]
    assert max(host.tunnels.values(), default=0) <= 1
    assert (host.requests, host.leaks) == ({}, [])
    record_property(name, 2)


def test_the_process_that_met_them_all_goes_on_when_all_is_right(
    told: dict[str, tuple[list, StandIn]],
) -> None:
    answer, host = told["none"]
    assert answer == ["", "done", None, 1]
    assert host.tunnels == {API: 1, IMAGES: 1}


@pytest.mark.parametrize(
    ("refuses", "words"), [("the client", "the connection was refused"), ("the host", "it refuses this host")]
)
def test_a_proxy_that_is_no_way_is_named_as_such_after_all_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float], refuses: str, words: str
) -> None:
    with stand_in(tmp_path) as proxy:
        address = closed_port() if refuses == "the client" else proxy.environment["HTTPS_PROXY"]
        monkeypatch.setenv("HTTPS_PROXY", address)
        name = f"{refuses.replace(' ', '-')}.invalid"  # each host of a process keeps its proxy
        outcome = download_photo(Photo("photo", f"https://{name}/photo"), tmp_path)
    assert (outcome.error, outcome.tries) == (f"no way through the proxy: {words}", TRIES)
    assert proxy.tunnels == ({name: TRIES} if refuses == "the host" else {})


# --- what goes well ---------------------------------------------------------------------------------------------

CONTROL = """
import os
from helpers import Photo, timed_run
from kit.coroutines import download_coroutines
run = timed_run(download_coroutines, [Photo("one", os.environ["PHOTO"])], 1)
print(*[(outcome.status.value, outcome.error) for outcome in run.outcomes])
"""


@pytest.mark.parametrize(("certificate", "said"), [("", "('done', None)"), ("other host", "('failed', ")])
def test_the_control_with_coroutines_takes_the_same_way(tmp_path: Path, certificate: str, said: str) -> None:
    with stand_in(tmp_path, certificate=certificate) as host:
        address = records()[0]["urls"]["regular"]
        assert in_a_child(CONTROL, tmp_path, host.environment | {"PHOTO": address}).startswith(said)


def test_the_whole_notebook_with_a_key_behind_a_proxy_while_some_photos_are_gone(
    tmp_path: Path, pictures: Path, record_property: Callable
) -> None:
    """Six of the first 66: each is replaced by the next one."""
    folder = tmp_path / "work"
    folder.mkdir()
    copy_project(folder, pictures, photos=PHOTOS, threads=THREADS, processes=2, going_further="no")
    notebook = nbformat.read(folder / "assignment.ipynb", as_version=4)
    with stand_in(tmp_path, every=11, login=LOGIN) as host:
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
        with_free_ports(lambda: client.execute(env=host.environment))
    texts = json.dumps(notebook)
    wanted = [index for index in range(PHOTOS + 6) if not host.gone(index)][:PHOTOS]
    names = {f"{records()[index]['id']}.jpg": picture(index) for index in wanted}
    assert {path.name: path.read_bytes() for path in (folder / "images").iterdir()} == names
    assert {path.name for path in (folder / "thumbnails").iterdir()} == names.keys()
    assert f"RIGHT: {PHOTOS + 6} items" in texts and f"RIGHT: {PHOTOS} items" in texts
    assert texts.count(f"the same {PHOTOS} files") == 2 * 2  # each as text and as HTML
    assert (host.leaks, set(host.tunnels)) == ([], {API, IMAGES, PREMIUM}) and KEY[-4:] in texts
    assert max(host.tunnels.values()) <= THREADS and host.asked(API) == 3
    asked = {index: host.requests[urlsplit(records()[index]["urls"]["regular"])[1:3]] for index in wanted}
    assert asked == {index: 2 + (index < 10) for index in wanted}  # serial, in parallel, and the first ten once before
    written = [texts.encode(), *(path.read_bytes() for path in folder.rglob("*") if path.is_file())]
    assert not [text for text in written if KEY.encode() in text or LOGIN.encode() in text]
    record_property("access key behind a proxy that wants a password", PHOTOS)
