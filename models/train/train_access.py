#!/usr/bin/python3
"""
Trains access-ranker (reads of a series at a resolution in the next 24 hours, from how it was read so far) and writes its folder: model.onnx,
model.json, golden.json, features.json. FILE is a CSV, plain or .gz: t,k (each row reads one thing, t in epoch seconds) or
t,op,series,resolution,from,to,bytes, as `foretier replay --workload NAME --export FILE` writes it.

A year at the end of a FILE can be held back with --hold-back 365, so that it may be replayed without having been seen.
Runs with PyTorch 1.13 (Debian: python3-torch python3-onnx) and 2.x, on one thread, for some minutes. The same seed, data and PyTorch give the
same model.
"""

import argparse
import json
import os
import sys
from datetime import datetime, timezone

import numpy as np
import torch

from access import features, learn, traces
from common import package

ID, CONTRACT = "access-ranker", 1
DAY = 86_400


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    learned, last = [], 0
    for path in options.files + options.whole:
        # Whole days, counted back from the last one, as `foretier replay` scores them.
        held_back = options.hold_back if path in options.files else 0
        reads = traces.read(path, (traces.last_time(path) // DAY + 1 - held_back) * DAY if held_back else None)
        last = max(last, int(reads.hour[-1]) * 3600) if path in options.files else last
        learned.append(features.daily(reads))
        _verify(reads, learned[-1][0], rng)
        print(f"{path}: {len(reads.hour)} reads of {len(reads.names)} keys, until {_day(int(reads.hour[-1]) * 3600)}", file=sys.stderr)
    model = learn.learn(learned, options.steps, options.batch, options.seed)

    cases = _cases(np.random.default_rng(options.seed + 1))
    golden = [package.Golden(case["name"], [np.array([case["features"]], np.float32)]) for case in cases]
    digest = package.write(options.out, ID, options.version, CONTRACT, model, ["features"], "reads", golden, _day(last), package.sources(options.files + options.whole))
    with open(os.path.join(options.out, "features.json"), "w", encoding="utf-8") as file:
        json.dump(cases, file, separators=(",", ":"))
        file.write("\n")
    print(f"{options.out}: {sum(p.numel() for p in model.parameters())} parameters, sha256 {digest}", file=sys.stderr)
    return 0


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="traces of reads to learn from")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the model, made if need be")
    parser.add_argument("--version", type=int, default=1, help="of the model; higher than the one before it (default 1)")
    parser.add_argument("--hold-back", type=int, default=0, metavar="DAYS", help="learn from nothing of the last days of each file (default 0)")
    parser.add_argument("--whole", nargs="*", default=[], metavar="FILE", help="more traces, of which nothing is held back: generated ones")
    parser.add_argument("--seed", type=int, default=20, help="of everything random (default 20)")
    parser.add_argument("--steps", type=int, default=8000, help="batches to learn from (default 8000)")
    parser.add_argument("--batch", type=int, default=1024, help="rows a batch (default 1024)")
    return parser.parse_args()


def _day(time):
    return datetime.fromtimestamp(time, timezone.utc).date()


def _verify(reads, daily, rng):
    """The fast features are those that are defined."""
    start = int(reads.hour[0]) // 24
    for row in rng.integers(0, len(reads.hour), 5):
        day = int(reads.hour[row]) // 24 + 1 + int(rng.integers(0, 40))
        if day - start < len(daily):
            before = reads.hour < day * 24
            of = [(reads.names[key], int(hour), 1) for hour, key in zip(reads.hour[before], reads.key[before])]
            np.testing.assert_allclose(daily[day - start, reads.key[row]], features.at(of, reads.names[reads.key[row]], day * 24), rtol=1e-4, atol=1e-4)


def _cases(rng):
    """Raw reads with the features they have: of every kind of reader, at midnight and at other hours."""
    monday, cases = 483_768, []  # 2025-03-10, a Monday
    readers = {
        "steady dashboard": [("acme/boiler-1/temperature", monday - hour, 360) for hour in range(1, 400)],
        "office hours": [("acme/boiler-1/pressure", monday - 24 * day + hour, 12) for day in range(1, 60) if (day % 7) not in (1, 2) for hour in range(8, 18)],
        "weekly report": [("acme/meter-2/energy", monday - 168 * week + 7, 1) for week in range(1, 30)],
        "monthly report": [("acme/meter-3/energy", monday - 720 * month + 6, 3) for month in range(1, 5)],
        "once, long ago": [("acme/meter-4/energy", monday - 3000, 1)],
        "just now": [("acme/pump-9/vibration", monday - 1, 2)],
        "at random": sorted({("acme/pump-9/flow", monday - int(hour), 1) for hour in rng.exponential(300, 40) + 1}, key=lambda read: read[1]),
        "a path": [("telegraf/plugins/inputs/", monday - 30 * n, 1) for n in range(1, 20)] + [("telegraf/plugins/", monday - 77 * n, 2) for n in range(1, 9)],
    }
    for number, (name, reads) in enumerate(readers.items()):
        others = [(f"{features.device_of(reads[0][0])}/other", monday - int(hour), int(count)) for hour, count in zip(rng.integers(1, 2000, 6), rng.integers(1, 5, 6))]
        everything = sorted(reads + others, key=lambda read: read[1])
        for now in (monday, monday + 7 * number + 5):
            cases.append({"name": f"{name}, {now - monday} h later", "key": reads[0][0], "now": now, "reads": [list(read) for read in everything],
                          "features": [float(f"{value:.9g}") for value in features.at(everything, reads[0][0], now)]})
    return cases


if __name__ == "__main__":
    sys.exit(main())
