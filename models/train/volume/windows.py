"""Batches to learn from: windows of real and generated series, changed so that no series is seen twice the same."""

from typing import List, NamedTuple, Sequence

import numpy as np

from .series import HISTORY, HORIZON, UNKNOWN, WEEK, Series, calendar_at, window

SPAN = HISTORY + HORIZON


class Group(NamedTuple):
    """Series that are drawn from together, and how often."""
    series: Sequence[Series]
    weight: float


class Windows:
    def __init__(self, groups: List[Group], seed: int):
        self.rng = np.random.default_rng(seed)
        self.series = [series for group in groups for series in group.series]
        weights = np.concatenate([np.array([np.sqrt(len(s.values)) for s in group.series]) for group in groups])
        sums = np.concatenate([np.full(len(group.series), group.weight) for group in groups])
        per_group = np.concatenate([np.full(len(group.series), np.sqrt([len(s.values) for s in group.series]).sum()) for group in groups])
        self.chance = weights / per_group * sums / sum(group.weight for group in groups)

    def batch(self, size: int):
        """history [size, 672], calendar [size, 192, 4], target [size, 24] (UNKNOWN where not known)."""
        picks = self.rng.choice(len(self.series), size, p=self.chance)
        spans = np.stack([self._cut(self.series[pick]) for pick in picks])
        hours, spans = spans[:, 0].astype(int), spans[:, 1:]
        counts = self._broken(self._joined(self._scaled(spans)))
        history, target = counts[:, :HISTORY].astype(np.float32), counts[:, HISTORY:].astype(np.float32)
        return self._shortened(history), calendar_at(self._shifted(hours)), target

    def _cut(self, series: Series) -> np.ndarray:
        """A span with the hour of the week of its first forecast hour in front."""
        origin = int(self.rng.integers(min(24, len(series.values) - HORIZON), len(series.values) - HORIZON + 1))
        return np.concatenate([[series.hour + origin], window(series.values, origin), series.values[origin:origin + HORIZON]])

    def _scaled(self, spans: np.ndarray) -> np.ndarray:
        """The same habits at another size: fewer events by leaving some out, more by multiplying or by drawing anew."""
        changed = spans.copy()
        for row in np.flatnonzero(self.rng.random(len(spans)) < 0.55):
            known, factor = np.maximum(spans[row], 0), np.exp(self.rng.uniform(np.log(0.1), np.log(30)))
            if factor < 1:
                new = self.rng.binomial(np.round(known).astype(int), factor)
            else:
                new = np.round(known * factor) if self.rng.random() < 0.5 else self.rng.poisson(known * factor)
            changed[row] = np.where(spans[row] < 0, UNKNOWN, new)
        return changed

    def _joined(self, counts: np.ndarray) -> np.ndarray:
        """Now and then two series come as one, as those of a concentrator do, or one after the other, as after a change of settings."""
        joined = counts.copy()
        for row in np.flatnonzero(self.rng.random(len(counts)) < 0.12):
            other = counts[self.rng.integers(len(counts))]
            joined[row] = np.where((counts[row] >= 0) & (other >= 0), counts[row] + other, counts[row])
        for row in np.flatnonzero(self.rng.random(len(counts)) < 0.08):
            end = self.rng.integers(24, HISTORY)
            joined[row, :end] = counts[self.rng.integers(len(counts)), :end]
        return joined

    def _broken(self, counts: np.ndarray) -> np.ndarray:
        """Silence, another level from some hour on, hours that nobody counted."""
        hour = np.arange(SPAN)[None, :]
        rows = (len(counts), 1)
        begin = self.rng.integers(0, SPAN, rows)
        length = np.exp(self.rng.uniform(0, np.log(120), rows))
        silent = (self.rng.random(rows) < 0.12) & (hour >= begin) & (hour < begin + length)
        counts = np.where(silent & (counts >= 0), 0, counts)
        moved = (self.rng.random(rows) < 0.12) & (hour >= self.rng.integers(0, HISTORY, rows))
        counts = np.where(moved & (counts >= 0), np.round(counts * np.exp(self.rng.normal(0, 0.9, rows))), counts)
        begin = self.rng.integers(0, HISTORY, rows)
        unseen = (self.rng.random(rows) < 0.1) & (hour >= begin) & (hour < begin + length) & (hour < HISTORY - 1)
        return np.where(unseen, UNKNOWN, counts)

    def _shortened(self, history: np.ndarray) -> np.ndarray:
        """Every third series has begun lately."""
        rows = (len(history), 1)
        kept = np.exp(self.rng.uniform(np.log(24), np.log(HISTORY), rows))
        gone = (self.rng.random(rows) < 0.3) & (np.arange(HISTORY)[None, :] < HISTORY - kept)
        return np.where(gone, np.float32(UNKNOWN), history)

    def _shifted(self, hours: np.ndarray) -> np.ndarray:
        """Other habits of the day and other days off."""
        rows = len(hours)
        near = np.where(self.rng.random(rows) < 0.5, self.rng.integers(-2, 3, rows), 0)
        far = np.where(self.rng.random(rows) < 0.2, self.rng.integers(0, 7, rows) * 24, 0)
        return (hours + near + far) % WEEK
