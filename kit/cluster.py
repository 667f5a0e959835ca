"""A Dask cluster with the interface of concurrent.futures. The package distributed is optional."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import ClusterError
from kit.machine import ROOT, fingerprint
from kit.transport import TIMEOUT

if TYPE_CHECKING:
    from distributed import Client

DISTRIBUTED = "distributed~=2026.1"  # the optional package, as in requirements-cluster.txt


@contextlib.contextmanager
def cluster(workers: int, scheduler: str = "") -> Iterator[Executor]:
    """A Dask cluster with the interface of concurrent.futures. It needs the package distributed.

    An item whose worker is lost is done again by another one. Send absolute paths: workers may be in another folder.

    Args:
        workers: how many worker processes to start on this machine; they can't be reached from others.
        scheduler: address of a running scheduler, such as "tcp://10.0.0.1:8786"; its workers get a copy of
            helpers.py and kit.

    Raises:
        ClusterError: distributed is not installed, or nobody answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(f"The package distributed is missing: pip install '{DISTRIBUTED}'") from None
    if scheduler:
        try:
            client = Client(scheduler, timeout=TIMEOUT[0])
        except OSError:
            raise ClusterError(f"No Dask scheduler answers at {scheduler}: see [cluster] in config.ini.") from None
    else:
        with _same_environment():
            client = Client(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,  # else a heartbeat that comes while it closes is told as an error
            )
    with _same_environment(), client:
        if scheduler:
            _send_modules(client)
        # pure=False: otherwise a call that was made before is not made again, and its old result comes back.
        with client.get_executor(pure=False) as executor:
            yield executor


@contextlib.contextmanager
def _same_environment() -> Iterator[None]:
    """Dask sets variables for its workers in this process, and what is started here later would get them, too.

    MALLOC_TRIM_THRESHOLD_ is one of them: workers of a process pool that have it give memory back after each picture.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _send_modules(client: Client) -> None:
    """Give the workers what they must be able to import, those that join later as well."""
    import zipfile

    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, f"assignment-{fingerprint()}.zip")
        with zipfile.ZipFile(archive, "w") as modules:
            for path in (ROOT / "helpers.py", *(ROOT / "kit").glob("*.py")):
                modules.write(path, path.relative_to(ROOT))
        client.upload_file(str(archive))
