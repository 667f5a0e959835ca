"""This machine and the processes on it: usable CPUs, versions, the digest of the code. It knows no photo."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import math
import multiprocessing
import os
import platform
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent  # the folder of the assignment


class _Schedule(threading.local):
    """The system's record of a thread, and its last value. It stays open: opening it takes three turns with the GIL."""

    file: BinaryIO | None = None
    process = 0  # a forked worker inherits the record of another thread
    last = 0.0


_schedule = _Schedule()
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # microseconds of CPU time, of how many: "200000 100000", or "max 100000"
SCHEDSTAT = "/proc/thread-self/schedstat"  # proc_pid_schedstat(5): CPU time, time of waiting, time slices


def waited_for_a_cpu() -> float:
    """Seconds for which this thread could have gone on and waited for a CPU, so far. Linux only; elsewhere 0."""
    try:
        if _schedule.process != (process := os.getpid()):
            _schedule.process, _schedule.file = process, None
            _schedule.file = open(SCHEDSTAT, "rb", buffering=0)  # noqa: SIM115 - it closes with its thread
        if _schedule.file:
            _schedule.last = int(os.pread(_schedule.file.fileno(), 64, 0).split()[1]) / 1e9
        return _schedule.last
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def waited_before() -> float:
    """What waited_for_a_cpu told this thread last, which costs nothing; now, if it was never asked."""
    return _schedule.last if _schedule.process == os.getpid() else waited_for_a_cpu()


def cpu_of_others() -> float | None:
    """CPU seconds so far of all programs but this process and those below it, such as the practice server.

    None on Windows, which does not tell what processes needed that have ended; and where this process may not use all
    CPUs of the machine, so that most others take none of its own.
    """
    import psutil  # comes with Jupyter

    if os.name == "nt" or usable_cpus() != os.cpu_count():
        return None
    times = psutil.cpu_times()
    idle = sum(getattr(times, name, 0) for name in ("idle", "iowait", "guest", "guest_nice"))  # a guest's is in `user`
    own = sum(os.times()[:4])
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            own += sum(process.cpu_times()[:4])
    return sum(times) - idle - own


def usable_cpus() -> int:
    """CPUs that this process may use: fewer than the machine has inside containers or with an affinity mask.

    A container's limit is a quota of CPU time, here rounded up (Linux, "Control Group v2", cpu.max).
    """
    with contextlib.suppress(OSError, ValueError):  # another system, or "max": no limit
        quota, period = CPU_QUOTA.read_text(encoding="ascii").split()
        return max(1, min(_allowed_cpus(), math.ceil(int(quota) / int(period))))
    return _allowed_cpus()


def _allowed_cpus() -> int:
    if hasattr(os, "process_cpu_count"):  # Python 3.13 and newer
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment() -> dict[str, str]:
    """What a reader of a timing needs to know of the machine, by name.

    A package whose version is not among those of requirements.txt is marked: it may work, but nobody has tried it.
    """
    from importlib.metadata import version

    from packaging.requirements import Requirement  # comes with Jupyter and matplotlib

    wanted = {}
    with contextlib.suppress(OSError, ValueError):
        lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        needed = [Requirement(line) for line in lines if line[:1].isalpha()]
        wanted = {one.name: one.specifier for one in needed}

    def named(package: str) -> str:
        here, asked = version(package), wanted.get(package)
        return f"{package} {here}" + ("" if not asked or here in asked else f" (requirements.txt asks for {asked})")

    build = platform.python_implementation()
    if sysconfig.get_config_var("Py_GIL_DISABLED"):  # an import may have switched the GIL on again
        build += f", free-threaded, {gil()}"
    packages = ("requests", "Pillow", "pandas", "matplotlib", "tqdm", "tornado")
    return {
        "Python": f"{platform.python_version()} ({build})",
        "Operating system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "CPUs": f"{usable_cpus()} usable by this process, {os.cpu_count() or 'unknown'} logical CPUs in the machine",
        "Modules": f"version {fingerprint()} of helpers.py, kit, checks and practice",
        "Packages": ", ".join(map(named, packages)),
    }


def gil() -> str:
    """ "with the GIL" or "without a GIL": a free-threaded Python, since 3.13, can do without."""
    return "with the GIL" if getattr(sys, "_is_gil_enabled", lambda: True)() else "without a GIL"


def fingerprint() -> str:
    """Eight hexadecimal digits of the project's modules: a saved notebook shows which version it ran with."""
    rooms = (path for name in ("kit", "checks", "practice") for path in modules_in(ROOT / name))
    return code_digest(ROOT, [ROOT / "helpers.py", *rooms])


def modules_in(folder: Path) -> list[Path]:
    """All modules in a folder and below, but not the copies that JupyterLab puts into .ipynb_checkpoints."""
    return [path for path in folder.rglob("*.py") if path.parent.name[:1] != "."]


def code_digest(root: Path, modules: Iterable[Path]) -> str:
    """Eight hexadecimal digits of what these modules do: comments, docstrings and layout don't count.

    The same on all versions of Python and on all systems. A file that is no Python counts as it is.

    Args:
        root: folder below which the modules are; where it lies does not count.
    """
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in modules):
        state = path.stat()
        digest.update(name.encode() + _digest_of(path, state.st_mtime_ns, state.st_size))
    return digest.hexdigest()[:8]


@functools.lru_cache(maxsize=256)
def _digest_of(path: Path, changed: int, size: int) -> bytes:
    """Of one module, computed again if its time or size has changed."""
    return hashlib.sha256(_code(path.read_bytes())).digest()


def source_digest(text: str) -> str:
    """Sixteen hexadecimal digits of what a piece of Python does, by the same rules."""
    return hashlib.sha256(_code(text.encode())).hexdigest()[:16]


def _code(source: bytes) -> bytes:
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        return "\n".join(_meaning(ast.parse(source))).encode()
    return source


def _meaning(node: ast.AST) -> Iterator[str]:
    """A syntax tree as lines of text. Empty fields are left out: newer versions of Python have more of them."""
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "kind", "type_comment", "type_ignores") or value is None or value == []:
            continue
        if name == "is_lazy" and not value:  # of an import; since Python 3.15
            continue
        yield name
        if name == "body" and isinstance(value, list) and _is_text(value[0]):
            value = value[1:]  # a docstring, or a text that nobody uses
        for part in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.JoinedStr) and isinstance(part, ast.Constant) and not part.value:
                continue  # Python 3.12 ends {x:>{width}} with an empty text
            if isinstance(part, ast.AST):
                yield from _meaning(part)
            else:
                yield ascii(part)  # repr shows a character or its number: that depends on the version of Unicode
    yield "end"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@contextlib.contextmanager
def deaf_workers() -> Iterator[None]:
    """Let worker processes that are started inside hear of no interrupt; one that arrives here ends them.

    A worker that is hit while it imports its modules would show a traceback; one that holds a lock would keep it. On
    Windows nothing is done: there, a notebook's stop button reaches the kernel alone.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing.pool import Pool

    started: set[ProcessPoolExecutor | Pool | BaseProcess] = set()
    starts = [(ProcessPoolExecutor, "submit"), (Pool, "__init__"), (BaseProcess, "start")]
    plain = [(kind, name, getattr(kind, name)) for kind, name in starts]
    for kind, name, method in plain:
        setattr(kind, name, _undisturbed(method, started))
    try:
        yield
    except KeyboardInterrupt:
        for one in sorted(started, key=lambda one: isinstance(one, BaseProcess)):  # a pool ends its own
            if isinstance(one, ProcessPoolExecutor):
                one.shutdown(cancel_futures=True)
                continue
            with contextlib.suppress(ValueError):  # a process that is closed
                one.terminate()
                one.join()
        raise
    finally:
        for kind, name, method in plain:
            setattr(kind, name, method)


def _undisturbed(method: Callable, started: set) -> Callable:
    """The same method, but an interrupt takes effect after it: a pool that has half started can't be ended."""

    @functools.wraps(method)
    def undisturbed(one: object, *arguments: object, **named: object) -> object:
        if isinstance(one, BaseProcess):
            resource_tracker.ensure_running()  # its own start would undo the mask
        main, interrupts = threading.current_thread() is threading.main_thread(), []
        before = main and signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))  # another thread may get it
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # processes inherit it
        try:
            result = method(one, *arguments, **named)
            started.add(one)
            return result
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if main:
                signal.signal(signal.SIGINT, before)
            if interrupts:
                signal.raise_signal(signal.SIGINT)

    return undisturbed


def end_with_parent() -> None:
    """Let this worker process end when its parent is gone; otherwise it would wait for work for ever."""
    if parent := multiprocessing.parent_process():
        _end_with(parent, os.getpid())


@functools.lru_cache
def _end_with(parent: BaseProcess, process: int) -> None:
    """Once for each process id: a forked worker has none of its parent's threads."""

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
