"""The rooms behind helpers.py, one purpose each. Nothing is imported here: a worker process pays for every import."""
