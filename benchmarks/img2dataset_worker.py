"""Runs img2dataset for the benchmarks, in its own virtual environment: it needs older pandas than the notebook.

Reads orders from standard input, one JSON object a line, and answers with {"seconds": ..., "cpu": ...}:

    {"do": "resize", "paths": [...], "folder": ..., "size": 200}
    {"do": "download", "urls": [...], "folder": ..., "threads": 32}
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import sys
import time
from pathlib import Path

import pyarrow as pa
from img2dataset.downloader import Downloader
from img2dataset.resizer import Resizer
from img2dataset.writer import FilesSampleWriter


def resize(paths: list[str], folder: str, size: int) -> None:
    """Its resizer with its own interpolation (area), at the JPEG quality that all tools of the benchmark use."""
    resizer = Resizer(size, "keep_ratio_largest", resize_only_if_bigger=True, encode_quality=85)
    for path in map(Path, paths):
        body, *_, problem = resizer(io.BytesIO(path.read_bytes()))
        if problem is None:
            Path(folder, path.name).write_bytes(body)


def shard(urls: list[str], folder: str) -> str:
    """The file in which its reader hands addresses to its downloader."""
    path = str(Path(folder, "shard.feather"))
    rows = pa.table({"url": urls})
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    return path


def download(path: str, count: int, folder: str, threads: int) -> None:
    """Its downloader on one shard, without resizing, re-encoding, captions or hashes; its metadata are written."""
    Downloader(
        FilesSampleWriter, Resizer(0, "no", False, disable_all_reencoding=True), thread_count=threads,
        save_caption=False, extract_exif=False, output_folder=folder, column_list=["url"], timeout=20,
        number_sample_per_shard=max(2, count), oom_shard_count=5, compute_hash=None, verify_hash_type=None,
        encode_format="jpg", retries=0, user_agent_token=None, disallowed_header_directives=None,
    )((0, path))  # fmt: skip


def main() -> None:
    print(json.dumps({"version": importlib.metadata.version("img2dataset")}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        path = shard(order["urls"], order["folder"]) if order["do"] == "download" else ""
        cpu, started = time.process_time(), time.perf_counter()
        if order["do"] == "download":
            download(path, len(order["urls"]), order["folder"], order["threads"])
        else:
            resize(order["paths"], order["folder"], order["size"])
        measured = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
        print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
