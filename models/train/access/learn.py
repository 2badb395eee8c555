"""The ranker and how it learns: a Poisson regression of the reads of the next 24 hours on the features."""

import sys
from typing import List, Tuple

import numpy as np
import torch

from . import features

HIDDEN = 32
READS_MAX = 20.0    # a day with more teaches no more: it is hot anyway
WARM_DAYS = 30      # of a trace, before which its counts say little
QUIET_SHARE = 0.1   # of keys that have long been quiet, this share is learned from, each for ten


class Ranker(torch.nn.Module):
    """17 features, standardised in here, to the reads to expect in the next 24 hours."""

    def __init__(self, mean: np.ndarray, deviation: np.ndarray):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float32))
        self.hidden = torch.nn.Linear(features.COUNT, HIDDEN)
        self.out = torch.nn.Linear(HIDDEN, 1)

    def log_reads(self, x: torch.Tensor) -> torch.Tensor:
        # Bounded, so that what was never seen in training cannot run away: e^12 reads a day are two a second.
        standard = ((x - self.mean) / self.deviation).clamp(-6, 6)
        return self.out(torch.relu(self.hidden(standard))).clamp(-12, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(self.log_reads(x))


def samples(traces: List[Tuple[np.ndarray, np.ndarray, np.ndarray]], rng: np.random.Generator):
    """Rows to learn from: features, reads that followed, weight. Every trace counts as much as its square root is large."""
    rows = []
    for x, known, counts in traces:
        chosen = known.copy()
        chosen[:WARM_DAYS] = False
        day, key = np.nonzero(chosen)
        x, y = x[day, key], np.minimum(counts[day, key], READS_MAX)
        quiet = (x[:, 5] < 0.05) & (y == 0)
        kept = ~quiet | (rng.random(len(y)) < QUIET_SHARE)
        rows.append((x[kept], y[kept], np.where(quiet, 1 / QUIET_SHARE, 1.0)[kept].astype(np.float32)))
    share = np.sqrt([len(y) for _, y, _ in rows])
    for (_, y, weight), part in zip(rows, share / share.sum()):
        weight *= part * sum(len(other) for _, other, _ in rows) / len(y)
    return tuple(np.concatenate([row[column] for row in rows]) for column in range(3))


def learn(traces, steps: int, batch: int, seed: int) -> Ranker:
    """The weights of the second half are averaged: where training ends then matters less."""
    torch.manual_seed(seed)
    x, y, weight = samples(traces, np.random.default_rng(seed))
    model = Ranker(x.mean(0), x.std(0) + 1e-6)
    x, y, weight = (torch.from_numpy(array) for array in (x, y, weight))
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    total, averaged = 0.0, [torch.zeros_like(parameter) for parameter in model.parameters()]
    for step in range(1, steps + 1):
        chosen = torch.randint(0, len(y), (batch,))
        log = model.log_reads(x[chosen])[:, 0]
        loss = (weight[chosen] * (log.exp() - y[chosen] * log)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for mean, parameter in zip(averaged, model.parameters()):
                mean += (parameter - mean) / max(1, step - steps // 2) if step > steps // 2 else 0
        total += loss.item()
        if step % 1000 == 0:
            print(f"step {step}: Poisson loss {total / 1000:.4f} of {len(y)} rows", file=sys.stderr)
            total = 0.0
    with torch.no_grad():
        for mean, parameter in zip(averaged, model.parameters()):
            parameter.copy_(mean)
    return model
