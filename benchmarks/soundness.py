"""How much damage inside of a JPEG file does helpers._is_sound notice, and what does it cost?

    python benchmarks/soundness.py [folder with JPEG files, by default images/]

Every photo is damaged in each way at a random place of its middle half, `ROUNDS` times.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from helpers import _is_sound

ROUNDS = 5
SEED = 2


def overwritten(body: bytes, at: int, piece: bytes) -> bytes:
    return body[:at] + piece + body[at + len(piece) :]


# name -> function of the bytes, a place in them, and a source of random numbers
DAMAGES: dict[str, Callable[[bytes, int, random.Random], bytes]] = {
    "64 zero bytes": lambda body, at, luck: overwritten(body, at, bytes(64)),
    "64 random bytes": lambda body, at, luck: overwritten(body, at, luck.randbytes(64)),
    "4,096 zero bytes": lambda body, at, luck: overwritten(body, at, bytes(4096)),
    "16 bytes missing": lambda body, at, luck: body[:at] + body[at + 16 :],
    "1 bit flipped": lambda body, at, luck: overwritten(body, at, bytes([body[at] ^ 1 << luck.randrange(8)])),
}


def main(folder: Path) -> None:
    bodies = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:300]]
    if not bodies:
        sys.exit(f"No JPEG files in {folder}: run the notebook first.")
    started = time.process_time()
    alarms = sum(not _is_sound(body) for body in bodies)
    milliseconds = (time.process_time() - started) / len(bodies) * 1e3
    print(f"{len(bodies)} whole photos: {alarms} false alarms, {milliseconds:.1f} ms of CPU time for each\n")
    print("| damage | trials | noticed |\n| --- | ---: | ---: |")
    luck = random.Random(SEED)
    for name, damage in DAMAGES.items():
        places = [(body, luck.randrange(len(body) // 4, len(body) * 3 // 4)) for body in bodies * ROUNDS]
        noticed = sum(not _is_sound(damage(body, at, luck)) for body, at in places)
        print(f"| {name} | {len(places):,} | {noticed / len(places):.0%} |")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "images"))
