"""Traces of reads: `t,k` (each row reads one thing once), or `t,op,series,resolution,from,to,bytes` as the product writes them."""

import csv
import gzip
from typing import Optional

import numpy as np

from .features import Reads


# How old the oldest of each part of a series' past is, hours: a query reads every part that it touches.
PARTS = {"1d": 24, "7d": 168, "31d": 744, "100d": 2_400, "400d": 9_600}


def read(path: str, until: Optional[int] = None) -> Reads:
    """Reads before `until` (epoch seconds), ordered by time."""
    known, keys, times = {}, [], []
    begin = dict(zip(PARTS, [0] + list(PARTS.values())))
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        columns = rows.fieldnames or []
        if "t" not in columns or not ("k" in columns or {"series", "resolution"} <= set(columns)):
            raise SystemExit(f"{path}: the first line has to be t,k or t,op,series,resolution,from,to,bytes")
        for row in rows:
            if row.get("op", "read") != "read":
                continue
            time = int(float(row["t"]))
            if until is None or time < until:
                if "k" in row:
                    names = [row["k"]]
                else:
                    oldest, newest = (time - int(row["from"])) / 3600, (time - int(row["to"])) / 3600
                    names = [f"{row['series']}@{row['resolution']}@{part}" for part, end in PARTS.items() if oldest > begin[part] and newest < end]
                for name in names:
                    keys.append(known.setdefault(name, len(known)))
                    times.append(time)
    if not times:
        raise SystemExit(f"{path}: no reads{'' if until is None else ' before the day it may be learned from'}")
    order = np.argsort(times, kind="stable")
    return Reads(np.array(times)[order] // 3600, np.array(keys)[order], list(known))


def last_time(path: str) -> int:
    """Of the last read, epoch seconds."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        return max(int(float(row["t"])) for row in csv.DictReader(file))
