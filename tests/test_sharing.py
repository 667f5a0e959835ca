"""What threads share: every solution of this table gets its own verdict, in real threads (--busy: beside two loops)."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from checks import sharing

pytestmark = pytest.mark.usefixtures("busy")

SETUP = """
import contextlib, functools, queue, threading, time
from threading import Lock
from checks.sharing import Quota
lock = threading.Lock()
other = threading.Lock()

def act(quota):
    if quota.left > 0:
        quota.left = quota.left - 1
        return True
    return False
"""

RIGHT = {
    "with lock": """
        def take(quota):
            with lock:
                if quota.left > 0:
                    quota.left -= 1
                    return True
                return False
        """,
    "a result that is returned later": """
        def take(quota):
            lock.acquire(timeout=1)
            given = quota.left > 0
            quota.left = quota.left - given
            lock.release()
            return given
        """,
    "RLock, taken twice": """
        rlock = threading.RLock()
        def count(quota):
            with rlock:
                quota.left -= 1
        def take(quota):
            with rlock:
                if quota.left <= 0:
                    return False
                count(quota)
                return True
        """,
    "semaphore": """
        semaphore = threading.BoundedSemaphore(1)
        def take(quota):
            with semaphore:
                return act(quota)
        """,
    "condition that is waited for": """
        condition, free = threading.Condition(), [True]
        def take(quota):
            with condition:
                condition.wait_for(lambda: free[0])
                free[0] = False
            given = act(quota)
            with condition:
                free[0] = True
                condition.notify()
            return given
        """,
    "a simple queue, which no schedule knows": """
        turn = queue.SimpleQueue()
        turn.put("token")
        def take(quota):
            token = turn.get()
            given = act(quota)
            turn.put(token)
            return given
        """,
    "one worker that does it for all": """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        def take(quota):
            return pool.submit(act, quota).result()
        """,
    "default argument": "def take(quota, lock=Lock()):\n    with lock:\n        return act(quota)",
    "an object that is called": """
        class Take:
            def __init__(self):
                self.lock = Lock()
            def __call__(self, quota):
                with self.lock:
                    return act(quota)
        take = Take()
        """,
    "decorator": """
        def locked(function):
            @functools.wraps(function)
            def inner(*values):
                with lock:
                    return function(*values)
            return inner
        @locked
        def take(quota):
            return act(quota)
        """,
    "one lock for each quota, set in one go": """
        def take(quota):
            with vars(quota).setdefault("lock", Lock()):
                return act(quota)
        """,
    "checked once more under the lock": """
        def take(quota):
            if quota.left <= 0:
                return False
            with lock:
                return act(quota)
        """,
    "polling, with sleep": """
        def take(quota):
            while not lock.acquire(blocking=False):
                time.sleep(0.01)
            given = act(quota)
            lock.release()
            return given
        """,
    "acquire and release": """
        def take(quota):
            lock.acquire()
            try:
                return act(quota)
            finally:
                lock.release()
        """,
    "condition": """
        condition = threading.Condition()
        def take(quota):
            with condition:
                given = act(quota)
                condition.notify()
                return given
        """,
    "a queue with one token": """
        turn = queue.Queue()
        turn.put("token")
        def take(quota):
            token = turn.get()
            given = act(quota)
            turn.put(token)
            return given
        """,
    "closure": """
        def make():
            mine = Lock()
            def take(quota):
                with mine:
                    return act(quota)
            return take
        take = make()
        """,
    "attribute of the function": "def take(quota):\n    with take.lock:\n        return act(quota)\ntake.lock = Lock()",
    "a lock that is made at first use, under a lock": """
        locks = {}
        def take(quota):
            with lock:
                mine = locks.setdefault("one", Lock())
            with mine:
                return act(quota)
        """,
    "context manager": """
        @contextlib.contextmanager
        def alone():
            lock.acquire()
            try:
                yield
            finally:
                lock.release()
        def take(quota):
            with alone():
                return act(quota)
        """,
}

NOBODY, PART, EVER = "Nobody ever waited for anybody", "covers only a part", "a thread waits for ever"
WRONG = {
    "no lock": (NOBODY, "def take(quota):\n    return act(quota)"),
    "a lock in each call": (NOBODY, "def take(quota):\n    with threading.Lock():\n        return act(quota)"),
    "a lock for each thread": (NOBODY, """
        free = [Lock() for _ in range(1000)]
        def take(quota):
            with free.pop():
                return act(quota)
        """),
    "only the act": (PART, """
        def take(quota):
            if quota.left > 0:
                with lock:
                    quota.left -= 1
                return True
            return False
        """),
    "only the check": (PART, """
        def take(quota):
            with lock:
                left = quota.left
            if left > 0:
                quota.left = left - 1
                return True
            return False
        """),
    "beside the lock": (NOBODY, "def take(quota):\n    with lock:\n        pass\n    return act(quota)"),
    "a semaphore for two": (
        NOBODY, "two = threading.Semaphore(2)\ndef take(quota):\n    with two:\n        return act(quota)"),
    "return in between, if none is left": (EVER, """
        def take(quota):
            lock.acquire()
            if quota.left <= 0:
                return False
            quota.left -= 1
            lock.release()
            return True
        """),
    "the lock taken twice": (
        EVER, "def take(quota):\n    with lock:\n        with lock:\n            return act(quota)"),
    "two locks crosswise": (EVER, """
        turns = [0]
        def take(quota):
            turns[0] += 1
            first, second = (lock, other) if turns[0] % 2 else (other, lock)
            with first, second:
                return act(quota)
        """),
    "a lock that is not waited for": ("was told False though requests were left", """
        def take(quota):
            if not lock.acquire(blocking=False):
                return False
            given = act(quota)
            lock.release()
            return given
        """),
    "too careful": ("was told False though requests were left", """
        def take(quota):
            with lock:
                if quota.left > 1:
                    quota.left -= 1
                    return True
                return False
        """),
    "no answer": ("take returned None", "def take(quota):\n    with lock:\n        act(quota)"),
    "a number as the answer": ("take returned 1.", "def take(quota):\n    with lock:\n        return int(act(quota))"),
    "one too many": ("this is no race", """
        def take(quota):
            with lock:
                if quota.left >= 0:
                    quota.left -= 1
                    return True
                return False
        """),
    "nothing counted": (
        "one after the other: this is no race", "def take(quota):\n    with lock:\n        return quota.left > 0"),
    "another name": ("NameError", "def take(quota):\n    with loch:\n        return act(quota)"),
    "an imported Lock in each call": (NOBODY, "def take(quota):\n    with Lock():\n        return act(quota)"),
    "two halves": (
        PART,
        """
        def take(quota):
            with lock:
                free = quota.left > 0
            if free:
                with lock:
                    quota.left -= 1
            return free
        """,
    ),
    "return in between": (
        EVER,
        """
        def take(quota):
            lock.acquire()
            if quota.left > 0:
                quota.left -= 1
                return True
            lock.release()
            return False
        """,
    ),
    "a token that is kept": (
        EVER,
        """
        turn = queue.Queue()
        turn.put("token")
        def take(quota):
            turn.get()
            return act(quota)
        """,
    ),
    "released, not taken": (
        "RuntimeError",
        "def take(quota):\n    given = act(quota)\n    lock.release()\n    return given",
    ),
}  # fmt: skip
NOT_ATTEMPTED = {
    "handed out": """
        def take(quota):
            '''Take one.'''
            if quota.left > 0:
                quota.left = quota.left - 1
                return True
            return False
        """,
    "empty": "def take(quota):\n    ...",
}


def solution(code: str) -> Callable:
    names: dict = {"__name__": "__main__"}
    exec(SETUP + textwrap.dedent(code), names)  # noqa: S102 - a cell
    return names["take"]


@pytest.mark.parametrize("code", RIGHT.values(), ids=RIGHT)
def test_a_right_solution_passes(code: str) -> None:
    verdict = sharing.check_sharing(solution(code))
    assert verdict.right and "orders of 2 and 3 threads were forced" in verdict.text, verdict


@pytest.mark.parametrize(("reason", "code"), WRONG.values(), ids=WRONG)
def test_a_wrong_solution_is_caught_for_its_own_reason(reason: str, code: str) -> None:
    verdict = sharing.check_sharing(solution(code))
    assert verdict.word == "WRONG" and reason in verdict.text and "Next step: " in verdict.text, verdict


@pytest.mark.parametrize("code", NOT_ATTEMPTED.values(), ids=NOT_ATTEMPTED)
def test_what_was_handed_out_is_not_attempted_yet(code: str) -> None:
    assert sharing.check_sharing(solution(code)).word == "NOT ATTEMPTED YET"


def test_the_race_goes_wrong_every_time() -> None:
    for _ in range(20):
        assert [sharing.race(sharing.take, left, 4).given for left in (1, 2, 3)] == [4, 4, 4]
    assert "2 of 2 threads got a request, and there was 1.\nThe order: A read 1, B read 1" in repr(
        sharing.race(sharing.take)
    )


@pytest.mark.parametrize("name", ["with lock", "a simple queue, which no schedule knows", "polling, with sleep"])
def test_a_right_solution_wins_the_race(name: str) -> None:
    assert sharing.race(solution(RIGHT[name]), left=2, threads=4).given == 2


def test_whoever_ends_late_ends_all_the_same() -> None:
    """Both have stopped for the last time, and neither has ended when the next turn would be given."""
    late = solution("def take(quota):\n    given = act(quota)\n    time.sleep(0.1)\n    return given")
    order = sharing.Order(late, left=1, threads=2)
    assert (order.given, order.blocked) == (1, set())


def test_the_students_locks_are_as_before() -> None:
    take = solution(RIGHT["with lock"])
    before = take.__globals__["lock"]
    sharing.check_sharing(take)
    assert take.__globals__["lock"] is before and not before.locked()
    assert take(sharing.Quota(1))
