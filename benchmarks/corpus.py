"""Genuine photographs to make thumbnails of, from Debian's wallpaper packages: python -m benchmarks.corpus FOLDER

Needs Debian's or Ubuntu's apt-get and dpkg-deb, and their archive. Nothing is installed, nothing of it is committed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PACKAGES = ("plasma-workspace-wallpapers", "mate-backgrounds", "lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04")
DRAWN = re.compile(  # by a program or a brush: parts of paths that are left out
    "Altai|Canopee|Cascade|Cluster|Elarun|Flow/|FlyingKonqui|Honeywave|Kay|Kite|Kokkini|MilkyWay|Opal|PastelHills|Patak"
    "|SafeLanding|Shell|Volna|summer_1am|abstract|desktop|firstgeneration|the-mouse|umang|Picture_|Infinite"
)
WIDTH, QUALITY = 1080, 80  # pixels and JPEG quality, as Unsplash's `regular`


def main(folder: Path) -> None:
    """Scale every photograph of the packages, upright and turned. A progressive JPEG stays progressive."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=name, check=True)
        for package in Path(name).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, "x"], cwd=name, check=True)
        seen: dict[Path, Path] = {}  # the largest of the sizes that a folder has of one photograph
        for path in sorted(Path(name, "x").rglob("*.jp*g"), key=lambda path: path.stat().st_size):
            if not DRAWN.search(str(path)):
                seen[path.parent if path.parent.name == "images" else path] = path
        for number, path in enumerate(sorted(seen.values())):
            with Image.open(path) as image:
                photo, progressive = image.convert("RGB"), "progressive" in image.info
            for turned in (photo, photo.transpose(Image.Transpose.ROTATE_90)):
                height = round(turned.height * WIDTH / turned.width)
                scaled = turned.resize((WIDTH, height), Image.Resampling.LANCZOS)
                shape = "landscape" if height < WIDTH else "portrait"
                scaled.save(folder / f"{number:03d}-{shape}.jpg", quality=QUALITY, progressive=progressive)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
