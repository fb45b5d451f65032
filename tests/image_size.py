"""Bytes that the image adds to its base, for its test and for the benchmarks: a program to be run inside of it."""

# All of /app, and the bytecode of the standard library, of which the base has none.
ADDED_BYTES = """
from pathlib import Path
files = [*Path("/app").rglob("*"), *Path("/usr/local").rglob("*.pyc")]
print(sum(file.lstat().st_size for file in files))
"""
