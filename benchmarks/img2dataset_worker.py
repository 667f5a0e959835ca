"""Runs img2dataset for the benchmarks, in its own virtual environment: it needs older pandas than the notebook.

Reads one order as JSON from standard input, and answers with {"seconds": ..., "cpu": ...}; imports are not timed:

    {"paths": [...], "folder": ..., "size": 200, "quality": 85}    makes thumbnails
    {"urls": [...], "folder": ..., "threads": 32}                  downloads
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import pyarrow as pa
from img2dataset.downloader import Downloader
from img2dataset.resizer import Resizer
from img2dataset.writer import FilesSampleWriter


def resize(paths: list[str], folder: str, size: int, quality: int) -> None:
    """Its resizer with its own interpolation (area), at the JPEG quality that all tools of the benchmark use."""
    resizer = Resizer(size, "keep_ratio_largest", resize_only_if_bigger=True, encode_quality=quality)
    for path in map(Path, paths):
        body, *_, problem = resizer(io.BytesIO(path.read_bytes()))
        if problem is None:
            Path(folder, path.name).write_bytes(body)


def download(urls: list[str], folder: str, threads: int) -> None:
    """Its downloader on one shard, without resizing, re-encoding, captions or hashes; its metadata are written."""
    shard, rows = str(Path(folder, "shard.feather")), pa.table({"url": urls})
    with pa.OSFile(shard, "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    Downloader(
        FilesSampleWriter, Resizer(0, "no", False, disable_all_reencoding=True), thread_count=threads,
        save_caption=False, extract_exif=False, output_folder=folder, column_list=["url"], timeout=20,
        number_sample_per_shard=max(2, len(urls)), oom_shard_count=5, compute_hash=None, verify_hash_type=None,
        encode_format="jpg", retries=0, user_agent_token=None, disallowed_header_directives=None,
    )((0, shard))  # fmt: skip


if __name__ == "__main__":
    order = json.load(sys.stdin)
    cpu, started = time.process_time(), time.perf_counter()
    (download if "urls" in order else resize)(**order)
    print(json.dumps({"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}))
