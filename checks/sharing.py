"""What threads share: a counter of requests, the race for the last one, and the check of a `take` that is mended.

Each look at `quota.left`, and each use of a lock that is a variable of the notebook, stops its thread until it gets a
turn. So orders of threads are forced, not hoped for. A race that lies between other lines (a plain flag in place of a
lock, a lock that is made at its first use) is not forced.
"""

from __future__ import annotations

import contextlib
import io
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from checks.attempt import is_empty, plain_function
from checks.verdict import Verdict

CASES = ((1, 2, 60), (2, 2, 15), (0, 2, 6), (1, 3, 15), (2, 3, 10))  # requests left, threads, orders at most
SELDOM = 6  # with a lock that is shared, a thread waits in more than one of so many orders; on a busy machine in some
SLICE = 0.001  # seconds of one look for who comes back; in each, a thread that was started later has come and gone
ROUNDS, PATIENCE = 10, 1500  # looks until a thread counts as blocked, and until all that are blocked count as stuck
FAIR, ENDLESS = 12, 300  # stops after which another one goes on, and after which nobody is thought to end


class Quota:
    """The API requests that are left in this hour."""

    def __init__(self, left: int):
        self.left = left


def take(quota: Quota) -> bool:
    """Take one request, if one is left. As the exercise hands it out: between check and act is a gap."""
    if quota.left > 0:
        quota.left = quota.left - 1
        return True
    return False


class _Over(BaseException):
    """Ends a thread whose order has ended before it."""


class Order:
    """One run of `take` in threads. A plan says who goes on at each stop; after it, the first one that can."""

    def __init__(self, take: Callable, left: int, threads: int, plan: tuple[int, ...] = (), gap: bool = False):
        self.left, self.threads = left, threads
        self.names = "ABCDEFGH"[:threads]
        self.results: list[object] = [None] * threads
        self.errors: list[str] = []
        self.events: list[str] = []
        self.choices: list[tuple[int, list[int]]] = []  # who went on, of whom
        self.blocked: set[int] = set()  # neither at a stop nor ended
        self.waited = self.over = False  # whether one was blocked; whether all is over
        self.arrivals: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
        self.turns = [threading.Semaphore(0) for _ in range(threads)]
        self.number: dict[int, int] = {}  # of each thread, by its ident
        self.quota = _Watched(self, left)
        self.read: set[int] = set()
        with _stopping_at_locks(take, self):
            for number in range(threads):
                threading.Thread(target=self._run, args=(take, number), daemon=True).start()
            self._play(plan, gap)
        self.over = True
        for turn in self.turns:
            turn.release()

    def _run(self, take: Callable, number: int) -> None:
        self.number[threading.get_ident()] = number
        with contextlib.suppress(_Over):
            self.stop()
            try:
                self.results[number] = take(self.quota)
                self.note(f"was told {self.results[number]}")
            except Exception as problem:  # noqa: BLE001 - whatever it raises is told
                self.errors.append(f"{type(problem).__name__}: {problem}")
        self.arrivals.put((number, True))

    def stop(self) -> None:
        """Wait here for a turn, if this is one of the threads."""
        number = self.number.get(threading.get_ident())
        if number is not None and not self.over:
            self.arrivals.put((number, False))
            self.turns[number].acquire()
        if self.over:
            raise _Over

    def note(self, what: str) -> None:
        number = self.number.get(threading.get_ident())
        self.events.append(f"{'?' if number is None else self.names[number]} {what}")
        if number is not None and what.startswith("read"):
            self.read.add(number)

    def _play(self, plan: tuple[int, ...], gap: bool) -> None:
        self.waiting: set[int] = set()
        self.blocked = set(range(self.threads))
        while self.blocked and self._look(PATIENCE):
            pass  # all start
        while len(self.choices) < ENDLESS and (self.waiting or (self.blocked and self._look(PATIENCE))):
            if not self.waiting:
                continue  # somebody came to the end, not to a stop
            able = sorted(self.waiting)
            if gap and len(self.choices) < 3 * FAIR:  # who has read waits for those that have not, and could
                able = [number for number in able if number not in self.read] or able
            step = len(self.choices)
            usual = able[step // FAIR % len(able)]  # who polls has to let others go on
            chosen = plan[step] if step < len(plan) and plan[step] in able else usual
            self.choices.append((chosen, able))
            self.waiting.discard(chosen)
            self.blocked.add(chosen)
            self.turns[chosen].release()
            while self.blocked and self._look(ROUNDS):
                pass
            self.waited |= bool(self.blocked)
        self.blocked |= self.waiting  # a loop without an end

    def _look(self, rounds: int) -> bool:
        """Whether somebody came to a stop or to the end, in so many looks."""
        for _ in range(rounds):
            with contextlib.suppress(queue.Empty):
                number, ended = self.arrivals.get(timeout=SLICE)
                self.blocked.discard(number)
                if not ended:
                    self.waiting.add(number)
                return True
            canary = threading.Thread(target=int, daemon=True)
            canary.start()
            canary.join()
        return False

    @property
    def given(self) -> int:
        return sum(map(bool, self.results))

    @property
    def odd(self) -> list:
        """What was returned and is neither True nor False; None to all of them, though requests were left."""
        silent = self.left and all(result is None for result in self.results)
        return self.results if silent else [r for r in self.results if not isinstance(r, bool | None)]

    @property
    def what(self) -> str:
        were = f"there {'was' if self.left == 1 else 'were'} {self.left or 'none'}"
        return f"{self.given} of {self.threads} threads got a request, and {were}"

    def __repr__(self) -> str:
        stuck = "".join(f", {self.names[number]} waits for ever" for number in sorted(self.blocked))
        return f"{self.what}.\nThe order: {', '.join(self.events)}{stuck}."


class _Watched(Quota):
    """Each look at `left` is a stop, and is noted."""

    def __init__(self, order: Order, left: int):
        vars(self).update(order=order, now=left)

    @property
    def left(self) -> int:
        vars(self)["order"].stop()
        vars(self)["order"].note(f"read {vars(self)['now']}")
        return vars(self)["now"]

    @left.setter
    def left(self, value: int) -> None:
        vars(self)["order"].stop()
        vars(self)["now"] = value
        vars(self)["order"].note(f"wrote {value}")


class _Stopping:
    """A lock of the student's that is a stop before it is taken."""

    def __init__(self, lock: Any, order: Order):
        self.lock, self.order = lock, order

    def acquire(self, *how: Any, **named: Any) -> bool:
        self.order.stop()
        return self.lock.acquire(*how, **named)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lock, name)


@contextlib.contextmanager
def _stopping_at_locks(take: Callable, order: Order) -> Iterator[None]:
    home = plain_function(take).__globals__
    locks = {name: value for name, value in home.items() if isinstance(value, _LOCKS)}
    home.update({name: _Stopping(lock, order) for name, lock in locks.items()})
    try:
        yield
    finally:
        home.update(locks)


_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Semaphore)


def race(take: Callable, left: int = 1, threads: int = 2) -> Order:
    """Run `take` in threads that all wait in the gap: none writes until all have read, or can't."""
    return Order(take, left, threads, gap=True)


def orders(take: Callable, left: int, threads: int, most: int) -> Iterator[Order]:
    """All orders, those that differ early first; the first one is one thread after the other."""
    plans: deque[tuple[int, ...]] = deque([()])
    while plans and most:
        plan, most = plans.popleft(), most - 1
        order = Order(take, left, threads, plan)
        yield order
        path = [chosen for chosen, _ in order.choices]
        for step in range(len(plan), len(path)):
            plans.extend((*path[:step], other) for other in order.choices[step][1] if other != path[step])


class Reason(NamedTuple):
    holds: Callable[[Order, bool], object]  # of an order, and whether anybody ever waited
    says: str
    step: str


REASONS = (
    Reason(lambda o, _: o.errors, "take stopped with {o.errors[0]}", "call take(Quota(1)) in a cell of its own."),
    Reason(
        lambda o, _: o.blocked,
        "a thread waits for ever.",
        "take the lock once in each call, and give it back on every way out: `with lock:` does so, even at a return.",
    ),
    Reason(
        lambda o, _: o.odd,
        "take returned {o.odd[0]!r}.",
        "return True if a request was taken, and False if none was left.",
    ),
    Reason(
        lambda o, _: _wrong(o) and len({number for number, _ in o.choices}) == _changes(o),
        "{o.what}, though the threads came one after the other: this is no race.",
        "look at the condition and at what is written: one request is taken for each True.",
    ),
    Reason(
        lambda o, _: o.given < min(o.left, o.threads),
        "{o.what}: a thread was told False though requests were left.",
        "wait for the lock (no blocking=False), and return False only if `left` is 0 while you hold it.",
    ),
    Reason(
        lambda o, waited: _wrong(o) and not waited,
        "{o.what}. Nobody ever waited for anybody: there is no lock, or each call has its own, or lets several in.",
        "make one lock outside of the function, which all threads share, and put `with lock:` around all of its lines.",
    ),
    Reason(
        lambda o, _: _wrong(o),
        "{o.what}. There is a lock, but it covers only a part: between the check and the act another thread came.",
        "check and act under the same lock, without giving it back in between: `with lock:` first, the `if` inside.",
    ),
)


def _wrong(order: Order) -> bool:
    return order.given > order.left or vars(order.quota)["now"] != order.left - order.given


def _changes(order: Order) -> int:
    """How often another thread had the turn than before, the first one counted."""
    path = [chosen for chosen, _ in order.choices]
    return sum(one != before for before, one in zip([None, *path], path, strict=False))


def check_sharing(take: Callable) -> Verdict:
    """Judge `take(quota)`: the right number of requests is given, in whatever order threads run it."""
    if is_empty(take) or _steps(take) == _HANDED_OUT:
        return Verdict("NOT ATTEMPTED YET", "mend take in the cell above, then run this cell again.")
    tried = 0
    with contextlib.redirect_stdout(io.StringIO()):  # what take prints would be printed for each order
        for left, threads, most in CASES:
            found = []
            for order in orders(take, left, threads, most):
                found.append(order)
                if order.blocked:
                    break
            waited = SELDOM * sum(order.waited for order in found) > len(found)
            for order in found:
                for holds, says, step in REASONS:
                    if holds(order, waited):
                        return Verdict("WRONG", f"{says}\n{{o!r}}\nNext step: {step}".format(o=order))
            tried += len(found)
    return Verdict(
        "RIGHT",
        f"{tried:,} orders of 2 and 3 threads were forced, with 0, 1 and 2 requests left. In each of them as many "
        "requests were given as there were, the counter was right, and nobody waited for ever.",
    )


def _steps(function: Callable) -> tuple | None:
    """What a function does, whatever its docstring says; None for an object that can be called."""
    code = getattr(function, "__code__", None)
    return code and (code.co_code, code.co_names)


_HANDED_OUT = _steps(take)
