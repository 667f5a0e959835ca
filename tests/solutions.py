"""Solutions as students write them, right and wrong, for test_checks.py.

Each is the text of a notebook cell. The notebook has run its imports before: see test_checks.py.
"""

from __future__ import annotations

# name: (what the verdict must hold, code)
RIGHT_DOWNLOADS = {
    "executor map": """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat(folder)))
""",
    "submit and as_completed": """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        futures = [executor.submit(download_photo, photo, folder) for photo in photos]
        for future in as_completed(futures):
            future.result()
""",
    "submit inside of with, results not read": """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        for photo in photos:
            executor.submit(download_photo, photo, folder)
""",
    "own function in threads": """
def one(photo):
    return download_photo(photo, target)

def download_parallel(photos, folder, workers):
    global target
    target = folder
    with ThreadPoolExecutor(workers) as executor:
        return list(executor.map(one, photos))
""",
    "lambda in threads": """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        return list(executor.map(lambda photo: download_photo(photo, folder), photos))
""",
    "threads and a queue": """
def download_parallel(photos, folder, workers):
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

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
""",
    "ThreadPool": """
def download_parallel(photos, folder, workers):
    with ThreadPool(workers) as pool:
        pool.starmap(download_photo, [(photo, folder) for photo in photos])
""",
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
    "slices of the list": """
def some(photos, folder):
    for photo in photos:
        download_photo(photo, folder)

def download_parallel(photos, folder, workers):
    threads = [threading.Thread(target=some, args=(photos[i::workers], folder)) for i in range(workers)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
""",
    "processes instead of threads": """
def download_parallel(photos, folder, workers):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        list(executor.map(download_photo, photos, repeat(folder), chunksize=5))
""",
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


@timer
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat(folder)))
""",
    "pop from the given list": """
def download_parallel(photos, folder, workers):
    def work():
        while True:
            try:
                photo = photos.pop()
            except IndexError:
                return
            download_photo(photo, folder)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    [t.start() for t in threads]
    [t.join() for t in threads]
""",
    "workers end by queue.Empty": """
def work(todo, folder):
    while True:
        download_photo(todo.get_nowait(), folder)


def download_parallel(photos, folder, workers):
    todo = queue.Queue()
    for p in photos:
        todo.put(p)
    threads = [threading.Thread(target=work, args=(todo, folder)) for _ in range(workers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
""",
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
    ts = [Downloader(photos[i::workers], folder) for i in range(workers)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
""",
}

RIGHT_RESIZES = {
    "executor map with chunks": """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(size), chunksize=8))
""",
    "one chunk for each worker": """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        chunk = -(-len(paths) // workers)
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(size), chunksize=chunk))
""",
    "submit and as_completed": """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        for future in as_completed([executor.submit(make_thumbnail, path, folder, size) for path in paths]):
            future.result()
""",
    "Pool starmap": """
def resize_parallel(paths, folder, size, workers):
    with get_context("spawn").Pool(workers) as pool:
        pool.starmap(make_thumbnail, [(path, folder, size) for path in paths])
""",
    "Pool apply_async, waited for": """
def resize_parallel(paths, folder, size, workers):
    pool = get_context("spawn").Pool(workers)
    for path in paths:
        pool.apply_async(make_thumbnail, (path, folder, size))
    pool.close()
    pool.join()
""",
    "Pool imap_unordered": """
from functools import partial

def resize_parallel(paths, folder, size, workers):
    with get_context("spawn").Pool(workers) as pool:
        for outcome in pool.imap_unordered(partial(make_thumbnail, folder=folder, size=size), paths, chunksize=4):
            assert outcome.error is None
""",
    "forkserver": """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as executor:
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(size)))
""",
    "Processes with slices": """
def resize_parallel(paths, folder, size, workers):
    context = get_context("spawn")
    processes = [context.Process(target=helpers_loop, args=(paths[i::workers], folder, size)) for i in range(workers)]
    [process.start() for process in processes]
    [process.join() for process in processes]

from loops import helpers_loop
""",
    "joblib processes": """
import joblib

def resize_parallel(paths, folder, size, workers):
    joblib.Parallel(workers)(joblib.delayed(make_thumbnail)(path, folder, size) for path in paths)
""",
    "joblib processes with a function of the notebook": """
import joblib

def resize_one(path, folder, size):
    return make_thumbnail(path, folder, size)

def resize_parallel(paths, folder, size, workers):
    joblib.Parallel(workers)(joblib.delayed(resize_one)(path, folder, size) for path in paths)
""",
    "Dask": """
def resize_parallel(paths, folder, size, workers):
    from dask.distributed import Client

    with Client(n_workers=workers, threads_per_worker=1, dashboard_address=None) as client:
        futures = [client.submit(make_thumbnail, path, folder, size, pure=False) for path in paths]
        client.gather(futures)
""",
    "threads instead of processes": """
def resize_parallel(paths, folder, size, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(size)))
""",
    "Pool maxtasksperchild": """
def resize_parallel(paths, folder, size, workers):
    with get_context("spawn").Pool(workers, maxtasksperchild=16) as pool:
        pool.starmap(make_thumbnail, [(p, folder, size) for p in paths], chunksize=8)
""",
    "joblib multiprocessing": """
import joblib


def resize_parallel(paths, folder, size, workers):
    joblib.Parallel(n_jobs=workers, backend="multiprocessing", batch_size=6)(
        joblib.delayed(make_thumbnail)(p, folder, size) for p in paths
    )
""",
    "dask get_executor": """
def resize_parallel(paths, folder, size, workers):
    from dask.distributed import Client

    with Client(n_workers=workers, threads_per_worker=1, dashboard_address=None) as c:
        e = c.get_executor(pure=False)
        list(e.map(make_thumbnail, paths, [folder] * len(paths), [size] * len(paths)))
""",
    "str absolute paths": """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(
            executor.map(
                make_thumbnail,
                [str(Path(p).resolve()) for p in paths],
                repeat(str(Path(folder).resolve())),
                repeat(size),
            )
        )
""",
    "fork with a cell function": """
def shrink(a):
    return make_thumbnail(*a)


def resize_parallel(paths, folder, size, workers):
    with get_context("fork").Pool(workers) as pool:
        pool.map(shrink, [(p, folder, size) for p in paths], chunksize=6)
""",
}

NOT_ATTEMPTED = {
    "pass": "def download_parallel(photos, folder, workers):\n    pass\n",
    "docstring": 'def download_parallel(photos, folder, workers):\n    """Write me."""\n',
    "dots": "def download_parallel(photos, folder, workers):\n    ...\n",
    "raise": "def download_parallel(photos, folder, workers):\n    # YOUR CODE HERE\n    raise NotImplementedError()\n",
}

# name: (a part of the message that is its own reason, code)
WRONG_DOWNLOADS = {
    "submitted, not waited for": (
        "returned before the work was done",
        """
def download_parallel(photos, folder, workers):
    executor = ThreadPoolExecutor(workers)
    for photo in photos:
        executor.submit(download_photo, photo, folder)
""",
    ),
    "threads started, not joined": (
        "returned before the work was done",
        """
def download_parallel(photos, folder, workers):
    for photo in photos:
        threading.Thread(target=download_photo, args=(photo, folder)).start()
""",
    ),
    "shutdown without waiting": (
        "returned before the work was done",
        """
def download_parallel(photos, folder, workers):
    executor = ThreadPoolExecutor(workers)
    futures = [executor.submit(download_photo, photo, folder) for photo in photos]
    executor.shutdown(wait=False)
""",
    ),
    "only the first results awaited": (
        "returned before the work was done",
        """
def download_parallel(photos, folder, workers):
    executor = ThreadPoolExecutor(workers)
    futures = [executor.submit(download_photo, photo, folder) for photo in photos]
    futures[0].result()
""",
    ),
    "futures cancelled": (
        "never done",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        futures = [executor.submit(download_photo, photo, folder) for photo in photos]
        executor.shutdown(cancel_futures=True)
""",
    ),
    "called instead of passed to submit": (
        "called instead of passed",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        for photo in photos:
            executor.submit(download_photo(photo, folder))
""",
    ),
    "called instead of passed to a thread": (
        "called instead of passed",
        """
def download_parallel(photos, folder, workers):
    threads = [threading.Thread(target=download_photo(photo, folder)) for photo in photos]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
""",
    ),
    "the serial loop again": (
        "by the notebook's own thread",
        """
def download_parallel(photos, folder, workers):
    for photo in photos:
        download_photo(photo, folder)
""",
    ),
    "result inside of the submitting loop": (
        "never were two items in work at the same time",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        for photo in photos:
            executor.submit(download_photo, photo, folder).result()
""",
    ),
    "start and join in one loop": (
        "never were two items in work at the same time",
        """
def download_parallel(photos, folder, workers):
    for photo in photos:
        thread = threading.Thread(target=download_photo, args=(photo, folder))
        thread.start()
        thread.join()
""",
    ),
    "a lock around everything": (
        "never were two items in work at the same time",
        """
lock = threading.Lock()

def one(photo, folder):
    with lock:
        download_photo(photo, folder)

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(one, photos, repeat(folder)))
""",
    ),
    "asyncio without threads": (
        "by the notebook's own thread",
        """
import asyncio

async def one(photo, folder):
    download_photo(photo, folder)

def download_parallel(photos, folder, workers):
    async def everything():
        await asyncio.gather(*(one(photo, folder) for photo in photos))

    import nest
    nest.run(everything())
""",
    ),
    "a coroutine function": (
        "returned a coroutine",
        """
import asyncio

async def download_parallel(photos, folder, workers):
    await asyncio.gather(*(asyncio.to_thread(download_photo, photo, folder) for photo in photos))
""",
    ),
    "a generator function": (
        "returned a generator",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        yield from executor.map(download_photo, photos, repeat(folder))
""",
    ),
    "built-in map, never consumed": (
        "returned a lazy iterator",
        """
def download_parallel(photos, folder, workers):
    return map(lambda photo: download_photo(photo, folder), photos)
""",
    ),
    "addresses opened, nothing saved": (
        "never done: nothing was saved",
        """
import requests

def open_only(photo):
    return requests.get(photo.url).status_code

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(open_only, photos))
""",
    ),
    "one photo again and again": (
        "others were done instead",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, [photos[0]] * len(photos), repeat(folder)))
""",
    ),
    "every thread does the whole list": (
        "done already",
        """
def all_of_them(photos, folder):
    for photo in photos:
        download_photo(photo, folder)

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(4) as executor:
        for _ in range(4):
            executor.submit(all_of_them, photos, folder)
""",
    ),
    "only the first ten": (
        "never done: nothing was saved",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos[:10], repeat(folder)))
""",
    ),
    "zip cuts the list": (
        "never done: nothing was saved",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, [folder] * workers))
""",
    ),
    "into images/, where they are already": (
        "already there, in images",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat("images")))
""",
    ),
    "leaves out what exists in images/": (
        "skipped what was already there",
        """
def one(photo, folder):
    if not (Path("images") / f"{photo.id}.jpg").exists():
        download_photo(photo, folder)

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(one, photos, repeat(folder)))
""",
    ),
    "into a folder of its own": (
        "another folder than the one that was given",
        """
def download_parallel(photos, folder, workers):
    Path("mine").mkdir(exist_ok=True)
    for old in Path("mine").iterdir():
        old.unlink()
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat("mine")))
""",
    ),
    "copied from images/": (
        "download_photo did not write them",
        """
import shutil

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        for photo in photos:
            executor.submit(shutil.copy, f"images/{photo.id}.jpg", folder)
""",
    ),
    "exceptions in futures that nobody reads": (
        "nobody looked at them",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        for photo in photos:
            executor.submit(download_photo, photo)
""",
    ),
    "exceptions swallowed by a bare except": (
        "an `except` that hides",
        """
def one(photo):
    try:
        return download_photo(photo)
    except:
        pass

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(one, photos))
""",
    ),
    "wrong arguments": (
        "stopped with TypeError",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos))
""",
    ),
    "smaller photos": (
        "wrong quality",
        """
def small(photo):
    return helpers.Photo(photo.id, photo.url.replace("w=1080", "w=400"))

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, map(small, photos), repeat(folder)))
""",
    ),
    "cut short afterwards": (
        "half-written",
        """
def one(photo, folder):
    outcome = download_photo(photo, folder)
    body = Path(outcome.path).read_bytes()
    Path(outcome.path).write_bytes(body[:300])

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(one, photos, repeat(folder)))
""",
    ),
    "other bytes": (
        "other bytes",
        """
def one(photo, folder):
    outcome = download_photo(photo, folder)
    with open(outcome.path, "ab") as file:
        file.write(b"mine")

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(one, photos, repeat(folder)))
""",
    ),
    "deleted afterwards": (
        "missing in the folder",
        """
def one(photo, folder):
    Path(download_photo(photo, folder).path).unlink()

def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(one, photos, repeat(folder)))
""",
    ),
    "chdir into the folder": (
        "another folder",
        """
def download_parallel(photos, folder, workers):
    os.chdir(folder)
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat(".")))
""",
    ),
    "serial loop with a clock": (
        "by the notebook's own thread",
        """
import time


def download_parallel(photos, folder, workers):
    start = time.time()
    for p in photos:
        download_photo(p, folder)
    return time.time() - start
""",
    ),
    "mkdir if not exists, last chunk dropped": (
        "never done: nothing was saved",
        """
def download_parallel(photos, folder, workers):
    if not os.path.exists(folder):
        os.makedirs(folder)
    n = len(photos) // 7
    with ThreadPoolExecutor(7) as e:
        for i in range(7):
            e.submit(lambda ps: [download_photo(p, folder) for p in ps], photos[i * n : (i + 1) * n])
""",
    ),
    "one worker only": (
        "one worker did all",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(1) as e:
        list(e.map(download_photo, photos, repeat(folder)))
""",
    ),
    "map returned, arguments missing": (
        "nobody looked at them",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        return executor.map(download_photo, photos)
""",
    ),
    "suppress": (
        "or a suppress",
        """
import contextlib


def one(p):
    with contextlib.suppress(Exception):
        download_photo(p)


def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(one, photos))
""",
    ),
    "sys.exit in the function": (
        "SystemExit",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat(folder)))
    sys.exit()
""",
    ),
    "asyncio.run in the notebook": (
        "running",
        """
import asyncio


def download_parallel(photos, folder, workers):
    async def go():
        await asyncio.gather(*(asyncio.to_thread(download_photo, p, folder) for p in photos))

    asyncio.run(go())
""",
    ),
    "deletes the folder at the end": (
        "deleted the folder",
        """
import shutil


def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat(folder)))
    shutil.rmtree(folder)
""",
    ),
    "writes a log": (
        "should not be",
        """
def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(download_photo, photos, repeat(folder)))
    Path(folder, "log.txt").write_text("done")
""",
    ),
    "race on a counter": (
        "done",
        """
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
    ts = [threading.Thread(target=work, args=(photos, folder)) for _ in range(workers)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
""",
    ),
    "starmap lazily": (
        "returned a lazy iterator",
        """
import itertools


def download_parallel(photos, folder, workers):
    return itertools.starmap(download_photo, zip(photos, repeat(folder)))
""",
    ),
}

WRONG_RESIZES = {
    "apply_async without a join": (
        "not waited for",
        """
def resize_parallel(paths, folder, size, workers):
    pool = get_context("spawn").Pool(workers)
    for path in paths:
        pool.apply_async(make_thumbnail, (path, folder, size))
""",
    ),
    "apply_async in a with block": (
        "not waited for",
        """
def resize_parallel(paths, folder, size, workers):
    with get_context("spawn").Pool(workers) as pool:
        for path in paths:
            pool.apply_async(make_thumbnail, (path, folder, size))
""",
    ),
    "apply_async of a call": (
        "called instead of passed",
        """
def resize_parallel(paths, folder, size, workers):
    pool = get_context("spawn").Pool(workers)
    for path in paths:
        pool.apply_async(make_thumbnail(path, folder, size))
    pool.close()
    pool.join()
""",
    ),
    "Pool.apply, one at a time": (
        "never were two items in work at the same time",
        """
def resize_parallel(paths, folder, size, workers):
    with get_context("spawn").Pool(workers) as pool:
        for path in paths:
            pool.apply(make_thumbnail, (path, folder, size))
""",
    ),
    "processes started and joined one by one": (
        "never were two items in work at the same time",
        """
def resize_parallel(paths, folder, size, workers):
    for path in paths:
        process = get_context("fork").Process(target=make_thumbnail, args=(path, folder, size))
        process.start()
        process.join()
""",
    ),
    "a function of the notebook in an executor": (
        "shrink is defined in this notebook",
        """
def shrink(path, folder, size):
    return make_thumbnail(path, folder, size)

def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(shrink, paths, repeat(folder), repeat(size)))
""",
    ),
    "a function of the notebook in a Pool": (
        "a Pool waits for their tasks for ever. The likely cause: shrink is defined",
        """
def shrink(path):
    return make_thumbnail(path, "x", 200)

def resize_parallel(paths, folder, size, workers):
    with get_context("spawn").Pool(workers) as pool:
        pool.map(shrink, paths)
""",
    ),
    "a lambda in a process pool": (
        "can't travel to a worker process",
        """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(lambda path: make_thumbnail(path, folder, size), paths))
""",
    ),
    "an inner function in a process pool": (
        "can't travel to a worker process",
        """
def resize_parallel(paths, folder, size, workers):
    def one(path):
        return make_thumbnail(path, folder, size)

    with get_context("spawn").Pool(workers) as pool:
        pool.map(one, paths)
""",
    ),
    "default size instead of the given one": (
        "wrong size",
        """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(100)))
""",
    ),
    "beside the originals": (
        "beside the originals",
        """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, paths, repeat("images"), repeat(size)))
""",
    ),
    "thumbnails of thumbnails": (
        "made of thumbnails",
        """
def resize_parallel(paths, folder, size, workers):
    small = sorted(Path("thumbnails").glob("*.jpg"))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, small, repeat(folder), repeat(size)))
""",
    ),
    "into thumbnails/, where they are already": (
        "already there, in thumbnails",
        """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, paths, repeat("thumbnails"), repeat(size)))
""",
    ),
    "exceptions in results that nobody reads": (
        "nobody looked at them",
        """
def resize_parallel(paths, folder, size, workers):
    pool = get_context("spawn").Pool(workers)
    for path in paths:
        pool.apply_async(make_thumbnail, (path,))
    pool.close()
    pool.join()
""",
    ),
    "joblib delayed, never run": (
        "never done: nothing was saved",
        """
import joblib

def resize_parallel(paths, folder, size, workers):
    return [joblib.delayed(make_thumbnail)(path, folder, size) for path in paths]
""",
    ),
    "half of the list for one worker, the rest for nobody": (
        "never done: nothing was saved",
        """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, paths[::2], repeat(folder), repeat(size)))
""",
    ),
    "a missing worker argument": (
        "stopped with ValueError",
        """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(0) as executor:
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(size)))
""",
    ),
    "chunksize of the whole list": (
        "one worker did all",
        """
def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(size), chunksize=len(paths)))
""",
    ),
    "processes die: notebook function in spawn Process": (
        "defined in this notebook",
        """
def shrink(ps, folder, size):
    for p in ps:
        make_thumbnail(p, folder, size)


def resize_parallel(paths, folder, size, workers):
    ps = [
        get_context("spawn").Process(target=shrink, args=(paths[i::workers], folder, size))
        for i in range(workers)
    ]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
""",
    ),
    "notebook function in spawn executor, results unread": (
        "defined in this notebook",
        """
def shrink(p, folder, size):
    return make_thumbnail(p, folder, size)


def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        for p in paths:
            executor.submit(shrink, p, folder, size)
""",
    ),
    "error_callback ignored": (
        "nobody looked",
        """
def resize_parallel(paths, folder, size, workers):
    pool = get_context("spawn").Pool(workers)
    for p in paths:
        pool.apply_async(make_thumbnail, (p,), error_callback=lambda e: None)
    pool.close()
    pool.join()
""",
    ),
    "imap not consumed": (
        "not waited for",
        """
def resize_parallel(paths, folder, size, workers):
    with get_context("spawn").Pool(workers) as pool:
        pool.imap(make_thumbnail, paths)
""",
    ),
    "files of the serial run deleted": (
        "changed or deleted 5 files",
        """
def resize_parallel(paths, folder, size, workers):
    for old in sorted(Path("thumbnails").iterdir())[:5]:
        old.unlink()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        list(executor.map(make_thumbnail, paths, repeat(folder), repeat(size)))
""",
    ),
}

# name: code which never ends by itself
STUCK = {
    "lock never released in executor": """
lock2 = threading.Lock()


def one(p, f):
    lock2.acquire()
    download_photo(p, f)


def download_parallel(photos, folder, workers):
    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(one, photos, repeat(folder)))
""",
    "endless loop in worker process": """
def one(p, f, s):
    while True:
        pass


def resize_parallel(paths, folder, size, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as e:
        list(e.map(one, paths, repeat(folder), repeat(size)))
""",
}
