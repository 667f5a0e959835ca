"""Benchmarks: each part measures one thing beside what people would use instead. `python -m benchmarks --help`

common.py               alternation, equal work, tables, the machine
thumbnails.py           make_thumbnail beside other ways of making thumbnails, and the ladder that leads to it
executors.py            processes under spawn, chunk sizes, what a worker's imports cost
downloads.py            download_photo beside other clients (clients.py), and the ladder that leads to it
practice_server.py      CPU per image and top rate of the practice server
overhead.py             what the progress line and the records cost
project.py              drawing the practice photos, and the times of the saved notebook
img2dataset_worker.py   runs in a virtual environment of its own
rounds/                 what each part measured, as JSON; results.md is made from these files
"""
