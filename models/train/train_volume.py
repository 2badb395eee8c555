#!/usr/bin/python3
"""
Trains volume-lstm (samples an hour of a series for the next 24 hours, as P10, P50 and P90) and writes its folder: model.onnx, model.json,
golden.json. FILE is hourly JSONL, plain or .gz: one {series, start, freq: "H", tz, values: [...]} a line, null or -1 where nobody was counting;
`foretier export --workload` writes it from a running system. Generated series are always part of it, so that a few files are enough.

Runs with PyTorch 1.13 (Debian: python3-torch python3-onnx) and 2.x, on one thread, for some minutes. The same seed, data and PyTorch give the
same model.
"""

import argparse
import sys
from datetime import date, datetime

import numpy as np
import torch

from common import package
from volume import learn, score, series, synthetic, windows

ID, CONTRACT = "volume-lstm", 1
HOURS_MIN = 48


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    groups = [_group(path, options.until) for path in options.files]
    groups = [group for group in groups if group.series]
    real = sum(group.weight for group in groups)
    made = synthetic.generate(np.random.default_rng(options.seed + 1), options.synthetic)
    groups.append(windows.Group([series.Series("generated", values, 0, None) for values in made], real or 1.0))
    print(f"{sum(len(group.series) for group in groups[:-1])} series of {len(options.files)} files, {len(made)} generated, seed {options.seed}", file=sys.stderr)

    model = learn.learn(windows.Windows(groups, options.seed + 2), options.steps, options.batch, options.seed)

    last = max([one.last.date() for group in groups[:-1] for one in group.series], default=date(2000, 1, 1))
    digest = package.write(options.out, ID, options.version, CONTRACT, model, ["history", "calendar"], "quantiles", _golden(options.seed),
                           last, package.sources(options.files) + [{"name": "generated series", "publishedAs": "models/train/volume/synthetic.py", "licence": package.LICENCE}])
    print(f"{options.out}: {sum(p.numel() for p in model.parameters())} parameters, sha256 {digest}", file=sys.stderr)
    for path in options.score:
        _print_scores(path, model, options.until)
    return 0


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="hourly series to learn from")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the model, made if need be")
    parser.add_argument("--version", type=int, default=1, help="of the model; higher than the one before it (default 1)")
    parser.add_argument("--until", type=datetime.fromisoformat, metavar="DATE", help="learn from nothing later; the same day for all series, and --score begins there")
    parser.add_argument("--score", nargs="*", default=[], metavar="FILE", help="score the model on these files afterwards, against seasonal baselines")
    parser.add_argument("--seed", type=int, default=20, help="of everything random (default 20)")
    parser.add_argument("--steps", type=int, default=2500, help="batches to learn from (default 2500)")
    parser.add_argument("--batch", type=int, default=128, help="windows a batch (default 128)")
    parser.add_argument("--synthetic", type=int, default=600, metavar="N", help="generated series (default 600)")
    return parser.parse_args()


def _group(path, until):
    """Files count by the square root of their size, so that a large one does not drown the others."""
    kept = [series.before(one, until) if until else one for one in series.read(path)]
    kept = [one for one in kept if len(one.values) >= HOURS_MIN]
    return windows.Group(kept, float(np.sqrt(sum(len(one.values) for one in kept))))


def _golden(seed):
    """A batch of every kind of series; series that have begun lately; what should never come, and must not break it."""
    made = [values[:series.HISTORY] for values in synthetic.generate(np.random.default_rng(seed + 3), 8)[:7:2]]
    late = np.full((3, series.HISTORY), series.UNKNOWN, np.float32)
    late[0, -24:], late[1, -1:], late[2, -200:-100] = 6, 3, 12
    odd = np.stack([np.full(series.HISTORY, value, np.float32) for value in (series.UNKNOWN, 0, 3600, 1e9)])
    return [package.Golden(name, [history.astype(np.float32), np.round(series.calendar_at(np.arange(len(history)) * 31), 4)])
            for name, history in (("generated", np.stack(made)), ("begun lately", late), ("nothing known, nothing came, constant, huge", odd))]


def _print_scores(path, model, until):
    scores = score.score(series.read(path), lambda history, calendar: learn.answer(model, history, calendar), until)
    print(f"{path}: without the mixing and calibration of the product")
    for name, of in scores.items():
        print(f"  {name:6} wQL against SN168 {of['rel']:.3f}  MASE {of['mase']:.3f}  P90 covers {of['coverage']:.3f}  over-reserves {of['over']:.2f}")


if __name__ == "__main__":
    sys.exit(main())
