"""Solutions as students write them, right and wrong, for test_checks.py.

Each is the text of a notebook cell. The notebook has run its imports before: see test_checks.py.
"""

from __future__ import annotations

DOWNLOAD, RESIZE = "download_parallel(photos, folder, workers)", "resize_parallel(paths, folder, size, workers)"
SPAWN = 'ProcessPoolExecutor(workers, mp_context=get_context("spawn"))'


def alone(body: str, head: str = DOWNLOAD) -> str:
    """A cell that holds the function and nothing else."""
    return f"\ndef {head}:{body}\n"


def pooled(body: str) -> str:
    """The same of what is done in the `with` block of an executor."""
    return alone(f"\n    with ThreadPoolExecutor(workers) as executor:{body}")


def in_threads(arguments: str, *first: str, pool: str = "ThreadPoolExecutor(workers)", head: str = DOWNLOAD) -> str:
    """download_parallel as most students write it: what they hand to executor.map, and the lines before."""
    return alone("\n    ".join(("", *first, f"with {pool} as executor:", f"    list(executor.map({arguments}))")), head)


def in_processes(arguments: str, *first: str, pool: str = SPAWN) -> str:
    """The same of resize_parallel."""
    return in_threads(arguments, *first, pool=pool, head=RESIZE)


def in_pool(*lines: str) -> str:
    return alone("\n        ".join(('\n    with get_context("spawn").Pool(workers) as pool:', *lines)), RESIZE)


def submitted(arguments: str, after: str = "") -> str:
    return pooled(f"\n        for photo in photos:\n            executor.submit({arguments}){after}")


def applied(arguments: str) -> str:
    lines = (
        "",
        'pool = get_context("spawn").Pool(workers)',
        "for path in paths:",
        f"    pool.apply_async({arguments})",
    )
    return alone("\n    ".join(lines), RESIZE)


POOL_ENDED = "    pool.close()\n    pool.join()\n"
SOME = """
def some(photos, folder):
    for photo in photos:
        download_photo(photo, folder)
"""
SLICES = SOME + alone("""
    threads = [threading.Thread(target=some, args=(photos[i::workers], folder)) for i in range(workers)]
    [thread.start() for thread in threads]""")
STARTED_AND_JOINED = """
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""

# name: code
RIGHT_DOWNLOADS = {
    "executor map": in_threads("download_photo, photos, repeat(folder)"),
    "asyncio.run is tried first": """
import asyncio
def download_parallel(photos, folder, workers):
    async def all_of_them():
        await asyncio.gather(*(asyncio.to_thread(download_photo, photo, folder) for photo in photos))
    try:
        asyncio.run(all_of_them())
    except RuntimeError:  # a notebook has a loop already
        with ThreadPoolExecutor(1) as executor:
            executor.submit(asyncio.run, all_of_them()).result()
""",
    "submit and as_completed": pooled("""
        futures = [executor.submit(download_photo, photo, folder) for photo in photos]
        for future in as_completed(futures):
            future.result()"""),
    "submit inside of with, results not read": submitted("download_photo, photo, folder"),
    "lambda in threads": pooled("""
        return list(executor.map(lambda photo: download_photo(photo, folder), photos))"""),
    "ThreadPool": alone("""
    with ThreadPool(workers) as pool:
        pool.starmap(download_photo, [(photo, folder) for photo in photos])"""),
    "joblib threads": """
import joblib
def download_parallel(photos, folder, workers):
    joblib.Parallel(workers, prefer="threads")(joblib.delayed(download_photo)(photo, folder) for photo in photos)
""",
    "asyncio to_thread": """
import asyncio
async def everything(photos, folder, workers):
    limit = asyncio.Semaphore(workers)
    async def one(photo):
        async with limit:
            await asyncio.to_thread(download_photo, photo, folder)
    await asyncio.gather(*(one(photo) for photo in photos))

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, everything(photos, folder, workers)).result()
""",
    "slices of the list": SLICES + "    [thread.join() for thread in threads]\n",
    "processes instead of threads": in_threads(
        "download_photo, photos, repeat(folder), chunksize=5", pool=SPAWN.replace("workers", "2")
    ),
    "lambda as the function": """
download_parallel = lambda photos, folder, workers: list(
    ThreadPoolExecutor(workers).map(download_photo, photos, repeat(folder))
)
""",
    "decorated without wraps": """
import time
def timer(f):
    def wrapper(*args):
        t = time.time()
        r = f(*args)
        print("took", time.time() - t > 0, file=sys.stderr)
        return r
    return wrapper

@timer""" + in_threads("download_photo, photos, repeat(folder)"),
    "pop from the given list": alone("""
    def work():
        while True:
            try:
                photo = photos.pop()
            except IndexError:
                return
            download_photo(photo, folder)
    threads = [threading.Thread(target=work) for _ in range(workers)]
    [t.start() for t in threads]
    [t.join() for t in threads]"""),
    "one by the notebook's thread to try, then the pool": in_threads(
        "download_photo, photos[1:], repeat(folder)", "download_photo(photos[0], folder)"
    ),
    "one through the pool to try, then all others": """
conductor.PATIENCE = 2  # seconds: it is waited for in vain once
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        executor.submit(download_photo, photos[0], folder).result()
        list(executor.map(download_photo, photos[1:], repeat(folder)))
""",
    "polls with short sleeps until all have ended": """
import time
def download_parallel(photos, folder, workers):
    executor = ThreadPoolExecutor(workers)
    futures = [executor.submit(download_photo, photo, folder) for photo in photos]
    while not all(future.done() for future in futures):
        time.sleep(0.5)
""",
    "from the end of the list": in_threads(
        "download_photo, reversed(photos), repeat(folder)", pool="ThreadPoolExecutor(2)"
    ),
    "the notebook's thread helps": alone("""
    todo = list(photos)
    def work():
        while todo:
            try:
                photo = todo.pop()
            except IndexError:
                return
            download_photo(photo, folder)
    threads = [threading.Thread(target=work) for _ in range(workers)]
    [thread.start() for thread in threads]
    work()
    [thread.join() for thread in threads]"""),
    "workers end by queue.Empty": """
def work(todo, folder):
    while True:
        download_photo(todo.get_nowait(), folder)

def download_parallel(photos, folder, workers):
    todo = queue.Queue()
    for p in photos:
        todo.put(p)
    threads = [threading.Thread(target=work, args=(todo, folder)) for _ in range(workers)]""" + STARTED_AND_JOINED,
    "daemon threads and queue join": """
def worker(todo, folder):
    while True:
        photo = todo.get()
        download_photo(photo, folder)
        todo.task_done()

def download_parallel(photos, folder, workers):
    todo = queue.Queue()
    for _ in range(workers):
        threading.Thread(target=worker, args=(todo, folder), daemon=True).start()
    for p in photos:
        todo.put(p)
    todo.join()
""",
    "keywords": submitted("download_photo, photo=photo, folder=folder"),
    "looks at outcomes and files": """
from PIL import Image
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        done = list(executor.map(download_photo, photos, repeat(folder)))
    for outcome in done:
        Image.open(outcome.path).verify()
    assert sum(os.path.getsize(o.path) for o in done) / sum(o.waited for o in done) > 0 < min(o.bytes for o in done)
""",
    "half for a thread, half for itself": alone("""
    if len(photos) < 6:
        return [download_photo(photo, folder) for photo in photos]
    half = len(photos) // 2
    thread = threading.Thread(target=download_parallel, args=(photos[:half], folder, workers))
    thread.start()
    download_parallel(photos[half:], folder, workers)
    thread.join()"""),
    "own function in threads": """
def one(photo):
    return download_photo(photo, target)

def download_parallel(photos, folder, workers):
    global target
    target = folder
    with ThreadPoolExecutor(workers) as executor:
        return list(executor.map(one, photos))
""",
    "threads and a queue": alone("""
    todo = queue.Queue()
    for photo in photos:
        todo.put(photo)
    def work():
        while True:
            try:
                photo = todo.get_nowait()
            except queue.Empty:
                return
            download_photo(photo, folder)
    threads = [threading.Thread(target=work) for _ in range(workers)]""" + STARTED_AND_JOINED),
    "batches": """
def batch(photos, folder):
    return [download_photo(photo, folder) for photo in photos]

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        futures = [executor.submit(batch, photos[i:i + 20], folder) for i in range(0, len(photos), 20)]
        for future in futures:
            future.result()
""",
    "Thread subclass": """
class Downloader(threading.Thread):
    def __init__(self, photos, folder):
        super().__init__()
        self.photos = photos
        self.folder = folder

    def run(self):
        for p in self.photos:
            download_photo(p, self.folder)

def download_parallel(photos, folder, workers):
    threads = [Downloader(photos[i::workers], folder) for i in range(workers)]""" + STARTED_AND_JOINED,
    "TaskGroup": """
import asyncio
async def everything(photos, folder, workers):
    todo = iter(photos)
    async def work():
        for photo in todo:
            await asyncio.to_thread(download_photo, photo, folder)
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, everything(photos, folder, workers)).result()
""",
}  # fmt: skip

RIGHT_RESIZES = {
    "one chunk for each worker": in_processes(
        "make_thumbnail, paths, repeat(folder), repeat(size), chunksize=chunk", "chunk = -(-len(paths) // workers)"
    ),
    "Pool apply_async, waited for": applied("make_thumbnail, (path, folder, size)") + POOL_ENDED,
    "forkserver": in_processes(
        "make_thumbnail, paths, repeat(folder), repeat(size)", pool=SPAWN.replace("spawn", "forkserver")
    ),
    "Processes with slices": alone("""
    context = get_context("spawn")
    processes = [context.Process(target=helpers_loop, args=(paths[i::workers], folder, size)) for i in range(workers)]
    [process.start() for process in processes]
    [process.join() for process in processes]""", RESIZE) + "\nfrom loops import helpers_loop\n",
    "joblib processes with a function of the notebook": """
import joblib
def resize_one(path, folder, size):
    return make_thumbnail(path, folder, size)

def resize_parallel(paths, folder, size, workers):
    joblib.Parallel(workers)(joblib.delayed(resize_one)(path, folder, size) for path in paths)
""",
    "threads instead of processes": in_processes(
        "make_thumbnail, paths, repeat(folder), repeat(size)", pool="ThreadPoolExecutor(workers)"
    ),
    "Pool maxtasksperchild": alone("""
    with get_context("spawn").Pool(workers, maxtasksperchild=16) as pool:
        pool.starmap(make_thumbnail, [(p, folder, size) for p in paths], chunksize=8)""", RESIZE),
    "joblib multiprocessing": """
import joblib
def resize_parallel(paths, folder, size, workers):
    parallel = joblib.Parallel(n_jobs=workers, backend="multiprocessing", batch_size=6)
    parallel(joblib.delayed(make_thumbnail)(p, folder, size) for p in paths)
""",
    "fork with a cell function": """
def shrink(a):
    return make_thumbnail(*a)

def resize_parallel(paths, folder, size, workers):
    with get_context("fork").Pool(workers) as pool:
        pool.map(shrink, [(p, folder, size) for p in paths], chunksize=6)
""",
    "texts as paths, largest first, thumbnails looked at": "\nfrom PIL import Image\n" + in_processes(
        "make_thumbnail, texts, repeat(str(Path(folder).resolve())), repeat(size)",
        "texts = [str(Path(p).resolve()) for p in sorted(paths, key=os.path.getsize)[::-1]]",
    ) + "    assert all(max(Image.open(path).size) == size for path in Path(folder).iterdir() if path.is_file())\n",
    "os.fork": alone("""
    for i in range(workers):
        if not os.fork():
            [make_thumbnail(path, folder, size) for path in paths[i::workers]]
            os._exit(0)
    [os.wait() for _ in range(workers)]""", RESIZE),
    "executor map with chunks": in_processes("make_thumbnail, paths, repeat(folder), repeat(size), chunksize=8"),
    "submit and as_completed": alone("""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        for future in as_completed([executor.submit(make_thumbnail, path, folder, size) for path in paths]):
            future.result()""", RESIZE),
    "Pool starmap": in_pool("pool.starmap(make_thumbnail, [(path, folder, size) for path in paths])"),
    "Pool imap_unordered": "\nfrom functools import partial" + in_pool(
        "for outcome in pool.imap_unordered(partial(make_thumbnail, folder=folder, size=size), paths, chunksize=4):",
        "    assert outcome.error is None",
    ),
    "joblib processes": """
import joblib
def resize_parallel(paths, folder, size, workers):
    joblib.Parallel(workers)(joblib.delayed(make_thumbnail)(path, folder, size) for path in paths)
""",
}  # fmt: skip

NOTES = {  # name of a right solution -> what its verdict says besides
    "processes instead of threads": "Note: the exercise asks for threads; this solution uses processes.",
    "threads instead of processes": "Note: the exercise asks for processes; this solution uses threads.",
    "from the end of the list": "Note: 8 workers were asked for; 2 did the work.",
}

NOT_ATTEMPTED = {
    "pass": "def download_parallel(photos, folder, workers):\n    pass\n",
    "docstring": 'def download_parallel(photos, folder, workers):\n    """Write me."""\n',
    "dots": "def download_parallel(photos, folder, workers):\n    ...\n",
    "raise": "def download_parallel(photos, folder, workers):\n    # YOUR CODE HERE\n    raise NotImplementedError()\n",
}

# name: (a part of the message that is its own reason, code)
WRONG_DOWNLOADS = {
    "submitted, not waited for": ("returned before the work was done", alone("""
    executor = ThreadPoolExecutor(workers)
    for photo in photos:
        executor.submit(download_photo, photo, folder)""")),
    "called instead of passed to submit": ("called instead of passed", submitted("download_photo(photo, folder)")),
    "called instead of passed to a thread": ("called instead of passed", alone("""
    threads = [threading.Thread(target=download_photo(photo, folder)) for photo in photos]""" + STARTED_AND_JOINED)),
    "the serial loop again": ("by the notebook's own thread", alone("""
    for photo in photos:
        download_photo(photo, folder)""")),
    "result inside of the submitting loop": ("never were two items in work at the same time",  # two may start
        submitted("download_photo, photo, folder", ".result()")),
    "start and join in one loop": ("workers took turns", alone("""
    for photo in photos:
        thread = threading.Thread(target=download_photo, args=(photo, folder))
        thread.start()
        thread.join()""")),
    "a lock around everything": ("never were two items in work at the same time", """
lock = threading.Lock()

def one(photo, folder):
    with lock:
        download_photo(photo, folder)
""" + in_threads("one, photos, repeat(folder)")),
    "a coroutine function": ("returned a coroutine", """
import asyncio
async def download_parallel(photos, folder, workers):
    await asyncio.gather(*(asyncio.to_thread(download_photo, photo, folder) for photo in photos))
"""),
    "a generator function": ("returned a generator", pooled("""
        yield from executor.map(download_photo, photos, repeat(folder))""")),
    "built-in map, never consumed": ("returned a lazy iterator", alone("""
    return map(lambda photo: download_photo(photo, folder), photos)""")),
    "one photo again and again": ("others were done instead",
        in_threads("download_photo, [photos[0]] * len(photos), repeat(folder)")),
    "every thread does the whole list": ("done already", """
def all_of_them(photos, folder):
    for photo in photos:
        download_photo(photo, folder)

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(4) as executor:
        for _ in range(4):
            executor.submit(all_of_them, photos, folder)
"""),
    "zip cuts the list": ("never done: nothing was saved", in_threads("download_photo, photos, [folder] * workers")),
    "into images/, where they are already": ("already there, in images",
        in_threads('download_photo, photos, repeat("images")')),
    "leaves out what exists in images/": ("leave nothing out", """
def one(photo, folder):
    if not (Path("images") / f"{photo.id}.jpg").exists():
        download_photo(photo, folder)
""" + in_threads("one, photos, repeat(folder)")),
    "into a folder of its own": ("another folder than the one that was given", in_threads(
        'download_photo, photos, repeat("mine")',
        'Path("mine").mkdir(exist_ok=True)', 'for old in Path("mine").iterdir():', "    old.unlink()",
    )),
    "copied from images/": ("download_photo did not write them",
        "\nimport shutil" + submitted('shutil.copy, f"images/{photo.id}.jpg", folder')),
    "exceptions in futures that nobody reads": ("nobody looked at them", submitted("download_photo, photo")),
    "exceptions swallowed by a bare except": (
        "hides it (an `except`, a suppress). The first one: TypeError: missing a required argument: 'folder'", """
def one(photo):
    try:
        return download_photo(photo)
    except:
        pass
""" + in_threads("one, photos")),
    "wrong arguments": ("stopped with TypeError", in_threads("download_photo, photos")),
    "smaller photos": ("wrong quality", """
def small(photo):
    return helpers.Photo(photo.id, photo.url.replace("w=1080", "w=400"))
""" + in_threads("download_photo, map(small, photos), repeat(folder)")),
    "cut short afterwards": ("half-written", """
def one(photo, folder):
    outcome = download_photo(photo, folder)
    body = Path(outcome.path).read_bytes()
    Path(outcome.path).write_bytes(body[:300])
""" + in_threads("one, photos, repeat(folder)")),
    "other bytes": ("other bytes", """
def one(photo, folder):
    outcome = download_photo(photo, folder)
    with open(outcome.path, "ab") as file:
        file.write(b"mine")
""" + in_threads("one, photos, repeat(folder)")),
    "deleted afterwards": ("missing in the folder", """
def one(photo, folder):
    Path(download_photo(photo, folder).path).unlink()
""" + in_threads("one, photos, repeat(folder)")),
    "chdir into the folder": ("another folder", in_threads('download_photo, photos, repeat(".")', "os.chdir(folder)")),
    "sys.exit in the function": ("SystemExit", RIGHT_DOWNLOADS["executor map"] + "    sys.exit()\n"),
    "asyncio.run in the notebook": ("running", """
import asyncio
def download_parallel(photos, folder, workers):
    async def go():
        await asyncio.gather(*(asyncio.to_thread(download_photo, p, folder) for p in photos))
    asyncio.run(go())
"""),
    "deletes the folder at the end": ("deleted the folder",
        "\nimport shutil\n" + RIGHT_DOWNLOADS["executor map"] + "    shutil.rmtree(folder, ignore_errors=True)\n"),
    "writes a log": ("should not be",
        RIGHT_DOWNLOADS["executor map"] + '    Path(folder, "log.txt").write_text("done")\n'),
    "linked from images/ in a loop before": ("a copy or a link is no work", in_threads(
        "download_photo, photos, repeat(folder)",
        "for photo in photos:", '    os.link(f"images/{photo.id}.jpg", f"{folder}/{photo.id}.jpg")')),
    "the notebook's list in place of the argument": ("not on the list that your function was given", """
everything = photos
""" + in_threads("download_photo, everything, repeat(folder)")),
    "two in a pool, the rest in a loop": ("only 2 of 47 items were ever in work beside another one", alone("""
    with ThreadPoolExecutor(2) as executor:  # they wait for each other; of eight, the last may come alone
        list(executor.map(download_photo, photos[:2], repeat(folder)))
    for photo in photos[2:]:
        download_photo(photo, folder)""")),
    "only the last thread is joined": ("returned before the work was done", SOME + alone("""
    for i in range(workers):
        thread = threading.Thread(target=some, args=(photos[i::workers], folder))
        thread.start()
    thread.join()""")),
    "half in a pool, half in a loop": ("only 24 of 47 items were ever in work beside another one", alone("""
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos[::2], repeat(folder)))
    for photo in photos[1::2]:
        download_photo(photo, folder)""")),
    "sleep, imported by its name": ("returned before the work was done", """
from time import sleep
def download_parallel(photos, folder, workers):
    executor = ThreadPoolExecutor(workers)
    for photo in photos: executor.submit(download_photo, photo, folder)
    sleep(10)
"""),
    "folder in quotes": ("another folder than the one that was given",
        in_threads('download_photo, photos, repeat("folder")')),
    "only the first thread is joined": ("returned before the work was done", SLICES + "    threads[0].join()\n"),
    "a sleep in place of waiting": ("returned before the work was done", """
import time
def download_parallel(photos, folder, workers):
    for i in range(0, len(photos), 6):
        threading.Thread(target=lambda ps: [download_photo(p, folder) for p in ps], args=(photos[i:i + 6],)).start()
    time.sleep(2)
"""),
    "a pool that the first call closes": ("something of the first one outlives it", """
pool = ThreadPoolExecutor(8)
def download_parallel(photos, folder, workers):
    with pool as executor:
        list(executor.map(download_photo, photos, repeat(folder)))
"""),
    "a set of what is done": ("something of the first one outlives it", """
done = set()
def download_parallel(photos, folder, workers):
    todo = [photo for photo in photos if photo.id not in done]
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, todo, repeat(folder)))
    done.update(photo.id for photo in todo)
"""),
    "result() of what map gives": ("map() gives the results themselves", pooled("""
        for future in executor.map(download_photo, photos, repeat(folder)):
            future.result()""")),
    "until a status that there is not": ("again and again: a loop does not end", """
import time
def insist(photo, folder, end):
    while download_photo(photo, folder).status != "ok" and time.time() < end:  # the end is for this test only
        pass
""" + in_threads("insist, photos, repeat(folder), repeat(end)", "end = time.time() + 10")),
    "start without brackets": ("start() of a thread, with its brackets", alone("""
    threads = [threading.Thread(target=download_photo, args=(photo, folder)) for photo in photos]
    for thread in threads:
        thread.start""")),
    "coroutines that nobody awaits": ("47 coroutines were made, and nobody awaited them", """
async def one(photo, folder):
    download_photo(photo, folder)

def download_parallel(photos, folder, workers):
    for photo in photos:
        one(photo, folder)
"""),
    "parameters in another order": ("keep them as they were: (photos, folder, workers)", """
def download_parallel(folder, photos, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat(folder)))
"""),
    "arguments in another order": ("the item first, then the folder",
        in_threads("download_photo, repeat(folder), photos")),
    "an exception of its own, swallowed": ("let no `except` of yours hide", """
def one(photo, folder):
    try:
        download_photo(photo, folder / photo.name)
    except Exception:
        pass
""" + in_threads("one, photos, repeat(folder)")),
    "once more in a loop": ("by a worker, and by the notebook's own thread",
        RIGHT_DOWNLOADS["executor map"] + "    [download_photo(photo, folder) for photo in photos]\n"),
    "asyncio without threads": ("by the notebook's own thread", """
import asyncio
async def one(photo, folder):
    download_photo(photo, folder)

def download_parallel(photos, folder, workers):
    async def everything():
        await asyncio.gather(*(one(photo, folder) for photo in photos))
    import nest
    nest.run(everything())
"""),
    "mkdir if not exists, last chunk dropped": ("never done: nothing was saved", alone("""
    if not os.path.exists(folder):
        os.makedirs(folder)
    n = len(photos) // 7
    with ThreadPoolExecutor(7) as e:
        for i in range(7):
            e.submit(lambda ps: [download_photo(p, folder) for p in ps], photos[i * n : (i + 1) * n])""")),
    "map returned, arguments missing": ("nobody looked at them", alone("""
    with ThreadPoolExecutor(workers) as executor:
        return executor.map(download_photo, photos)""")),
    "suppress": ("47 calls of download_photo stopped with an exception", """
import contextlib
def one(p):
    with contextlib.suppress(Exception):
        download_photo(p)
""" + in_threads("one, photos")),
    "race on a counter": ("done", """
import time
def work(photos, folder):
    global n
    while n < len(photos):
        i = n
        time.sleep(0.0001)
        n = i + 1
        download_photo(photos[i], folder)

def download_parallel(photos, folder, workers):
    global n
    n = 0
    threads = [threading.Thread(target=work, args=(photos, folder)) for _ in range(workers)]""" + STARTED_AND_JOINED),
    "starmap lazily": ("returned a lazy iterator", """
import itertools
def download_parallel(photos, folder, workers):
    return itertools.starmap(download_photo, zip(photos, repeat(folder)))
"""),
    "run in place of start": ("begun by start(), not by run()", alone("""
    for photo in photos:
        threading.Thread(target=download_photo, args=(photo, folder)).run()""")),
    "back to a loop after an error": ("If your function goes back to a loop after an error", alone("""
    try:
        with ThreadPoolExecutor(workers) as executor:
            list(executor.map(download_photo, photos, folder))
    except TypeError:
        for photo in photos:
            download_photo(photo, folder)""")),
    "own saving, other names": ("download_photo did not write them", """
import urllib.request
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        for i, photo in enumerate(photos):
            executor.submit(urllib.request.urlretrieve, photo.url, f"{folder}/{i}.jpg")
"""),
    "a plain call in a coroutine": ("a coroutine called the function itself", """
import asyncio
async def one(photo, folder):
    download_photo(photo, folder)

async def everything(photos, folder):
    await asyncio.gather(*(one(photo, folder) for photo in photos))

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        executor.submit(asyncio.run, everything(photos, folder)).result()
"""),
    "a lambda sees the last photo": ("A lambda sees a loop's variable", alone("""
    threads = [threading.Thread(target=lambda: download_photo(photo, folder)) for photo in photos]"""
        + STARTED_AND_JOINED)),
    "the rest after the last full batch": ("for threads and processes of your own, join() each", alone("""
    batch = []
    for photo in photos:
        batch.append(threading.Thread(target=download_photo, args=(photo, folder)))
        batch[-1].start()
        if len(batch) == workers:
            [thread.join() for thread in batch]
            batch = []""")),
    "an await in a loop": ("`await` in", """
import asyncio
async def everything(photos, folder):
    for photo in photos:
        await asyncio.to_thread(download_photo, photo, folder)

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, everything(photos, folder)).result()
"""),
}  # fmt: skip

WRONG_RESIZES = {
    "apply_async without a join": ("not waited for", applied("make_thumbnail, (path, folder, size)")),
    "apply_async in a with block": ("not waited for", in_pool(
        "for path in paths:", "    pool.apply_async(make_thumbnail, (path, folder, size))")),
    "apply_async of a call": ("called instead of passed", applied("make_thumbnail(path, folder, size)") + POOL_ENDED),
    "Pool.apply, one at a time": ("never were two items in work at the same time", in_pool(
        "for path in paths:", "    pool.apply(make_thumbnail, (path, folder, size))")),
    "a function of the notebook in an executor": ("shrink is defined in this notebook", """
def shrink(path, folder, size):
    return make_thumbnail(path, folder, size)
""" + in_processes("shrink, paths, repeat(folder), repeat(size)")),
    "a lambda in a process pool": ("can't travel to a worker process",
        in_processes("lambda path: make_thumbnail(path, folder, size), paths")),
    "an inner function in a process pool": ("can't travel to a worker process", alone("""
    def one(path):
        return make_thumbnail(path, folder, size)
    with get_context("spawn").Pool(workers) as pool:
        pool.map(one, paths)""", RESIZE)),
    "default size instead of the given one": ("wrong size",
        in_processes("make_thumbnail, paths, repeat(folder), repeat(100)")),
    "beside the originals": ("beside the originals",
        in_processes('make_thumbnail, paths, repeat("images"), repeat(size)')),
    "thumbnails of thumbnails": ("made of thumbnails", in_processes(
        "make_thumbnail, small, repeat(folder), repeat(size)", 'small = sorted(Path("thumbnails").glob("*.jpg"))'
    )),
    "exceptions in results that nobody reads": ("nobody looked at them",
        applied("make_thumbnail, (path,)") + POOL_ENDED),
    "a missing worker argument": ("stopped with ValueError", in_processes(
        "make_thumbnail, paths, repeat(folder), repeat(size)", pool="ProcessPoolExecutor(0)")),
    "chunksize of the whole list": ("one worker did all",
        in_processes("make_thumbnail, paths, repeat(folder), repeat(size), chunksize=len(paths)")),
    "processes die: notebook function in spawn Process": ("defined in this notebook", """
def shrink(ps, folder, size):
    for p in ps:
        make_thumbnail(p, folder, size)

def resize_parallel(paths, folder, size, workers):
    spawn = get_context("spawn")
    ps = [spawn.Process(target=shrink, args=(paths[i::workers], folder, size)) for i in range(workers)]
    [p.start() for p in ps]
    [p.join() for p in ps]
"""),
    "notebook function in spawn executor, results unread": ("defined in this notebook", """
def shrink(p, folder, size):
    return make_thumbnail(p, folder, size)

def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        for p in paths:
            executor.submit(shrink, p, folder, size)
"""),
    "folder and path in another order": ("was given the folder in place of the item",
        in_processes("make_thumbnail, repeat(folder), paths, repeat(size)")),
    "a module that workers can't import": ("can't import mytools", """
import types
sys.modules["mytools"] = mytools = types.ModuleType("mytools")
exec("from helpers import make_thumbnail\\ndef one(*a):\\n    return make_thumbnail(*a)", vars(mytools))
""" + in_processes("mytools.one, paths, repeat(folder), repeat(size)")),
    "workers that end themselves": ("They said nothing", """
def one(path, folder, size):
    make_thumbnail(path, folder, size)
    os._exit(0)
""" + in_processes("one, paths, repeat(folder), repeat(size)", pool=SPAWN.replace("spawn", "fork"))),
    "names without their folder": ("with another path",
        in_processes("make_thumbnail, names, repeat(folder), repeat(size)", "names = [path.name for path in paths]")),
    "square afterwards": ("changed after make_thumbnail had written them",
        "\nconductor.PATIENCE = 20  # it is right until then\nfrom PIL import Image\n"
        + in_processes("make_thumbnail, paths, repeat(folder), repeat(size)")
        + '    for p in Path(folder).glob("*.jpg"):\n        Image.open(p).resize((size, size)).save(p)\n'),
    "files of the serial run deleted": ("changed or deleted 5 files", in_processes(
        "make_thumbnail, paths, repeat(folder), repeat(size)",
        'for old in sorted(Path("thumbnails").iterdir())[:5]:', "    old.unlink()",
    )),
    "into thumbnails/, where they are already": ("already there, in thumbnails",
        in_processes('make_thumbnail, paths, repeat("thumbnails"), repeat(size)')),
    "joblib delayed, never run": ("no worker was started", """
import joblib
def resize_parallel(paths, folder, size, workers):
    return [joblib.delayed(make_thumbnail)(path, folder, size) for path in paths]
"""),
    "size is not passed on": ("missing a required argument: 'size'",
        in_processes("make_thumbnail, paths, repeat(folder)")),
    "only the last process is joined": ("returned before the work was done", """
from loops import helpers_loop
def resize_parallel(paths, folder, size, workers):
    for i in range(4):
        process = get_context("spawn").Process(target=helpers_loop, args=(paths[i::4], folder, size))
        process.start()
    process.join()
"""),
}  # fmt: skip

DYING = """
def shrink(path):
    return make_thumbnail(path, "x", 200)
""" + in_pool("pool.map(shrink, paths)")

# name: code which never ends by itself
STUCK = {
    "lock never released in executor": """
lock2 = threading.Lock()

def one(p, f):
    lock2.acquire()
    download_photo(p, f)
""" + in_threads("one, photos, repeat(folder)"),
    "endless loop in worker process": """
def one(p, f, s):
    while True:
        pass
""" + in_processes("one, paths, repeat(folder), repeat(size)", pool=SPAWN.replace("spawn", "fork")),
}  # fmt: skip
