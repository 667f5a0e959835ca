"""Benchmarks: each part measures one thing beside what people would use instead. `python -m benchmarks --help`

common.py               the one way to run, keep and write a row: alternation, equal work, tables, targets
thumbnails.py           make_thumbnail beside other ways of making thumbnails
executors.py            threads, processes and a cluster that make thumbnails; imports, records
downloads.py            download_photo beside other clients (clients.py), the ladder to it, and the server's limit
load.py                 memory and time per photo with few and with many photos
growth.py               what follows for millions of them, and from when on a cluster pays: growth.md
img2dataset_worker.py   runs in a virtual environment of its own
pages/                  the words of results.md and growth.md, with a place for each table
rounds/                 what each part measured, as JSON; the pages are made from these files
"""
