"""
Generated series of the kinds that gateways see, so that a model learns kinds and not the few data sets at hand: people (daily and weekly habits,
weather, holidays), devices that report regularly (losses, outages, other rates), senders on change, machines in shifts and batches, rare events.
"""

from typing import List

import numpy as np

HOURS = 70 * 24


def generate(rng: np.random.Generator, count: int) -> List[np.ndarray]:
    """So many series of 70 days, beginning on a Sunday at midnight."""
    kinds = [(people, 0.34), (regular, 0.26), (on_change, 0.12), (shifts, 0.09), (batches, 0.05), (rare, 0.07), (bursts, 0.07)]
    made = []
    for kind, share in kinds:
        for _ in range(max(1, round(count * share))):
            series = kind(rng)
            if rng.random() < 0.12:
                other = kinds[rng.integers(len(kinds))][0](rng)
                series = series + other * rng.choice([1.0, 0.2])
            elif rng.random() < 0.12:  # put to other use: new firmware, another room
                at = rng.integers(HOURS // 10, HOURS)
                series = np.concatenate([series[:at], kinds[rng.integers(len(kinds))][0](rng)[at:]])
            made.append(_outages(rng, series).astype(np.float32))
    return made


def _log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _slow(rng, steps, keep, deviation):
    """An autoregressive walk around 0 with this deviation."""
    noise = rng.normal(0, deviation * np.sqrt(1 - keep * keep), steps)
    walk = np.empty(steps)
    value = rng.normal(0, deviation)
    for i in range(steps):
        value = keep * value + noise[i]
        walk[i] = value
    return walk


def _bumps(rng, count, width=(0.8, 4.0)):
    """A profile of the day: peaks of random height, place and width, over a floor."""
    hours = np.arange(24)
    profile = np.full(24, _log_uniform(rng, 0.002, 0.3))
    for _ in range(count):
        off = (hours - rng.uniform(5, 22) + 12) % 24 - 12
        profile += rng.uniform(0.2, 1.0) * np.exp(-0.5 * (off / rng.uniform(*width)) ** 2)
    return profile / profile.mean()


def _counted(rng, rate):
    """Counts around a rate: as events at random, clustered, or spread more evenly than that."""
    rate = np.maximum(rate, 0)
    how = rng.random()
    if how < 0.5:
        return rng.poisson(rate)
    if how < 0.85:
        shape = _log_uniform(rng, 2, 40)
        return rng.poisson(rate * rng.gamma(shape, 1 / shape, len(rate)))
    even = rng.uniform(0.05, 0.6)
    return np.maximum(0, np.round(rate + rng.normal(0, 1, len(rate)) * even * np.sqrt(rate)))


def _outages(rng, series):
    """Some series fall silent for hours or days, for good, or every day at about the same hour, which wanders from day to day."""
    if rng.random() < 0.04:
        _daily_gap(rng, series)
    if rng.random() < 0.3:
        for _ in range(rng.integers(1, 5)):
            at, length = rng.integers(HOURS), int(_log_uniform(rng, 1, 200))
            series[at:at + length] = 0
    if rng.random() < 0.06:
        series[rng.integers(HOURS // 4, HOURS):] *= rng.choice([0.0, 0.05, 0.3])
    if rng.random() < 0.05:
        series[:rng.integers(1, HOURS // 2)] = 0
    return series


def _daily_gap(rng, series):
    """Maintenance, exports, a router that restarts."""
    days = HOURS // 24
    begin = np.round(rng.uniform(0, 24) + np.cumsum(rng.normal(0, _log_uniform(rng, 0.02, 1.0), days))).astype(int)
    length = np.maximum(0, np.round(rng.uniform(0.5, 5) + rng.normal(0, rng.choice([0.2, 0.8]), days))).astype(int)
    left = rng.choice([0.0, 0.2, rng.random()])
    for day in np.flatnonzero(rng.random(days) < rng.choice([1.0, 0.8])):
        hours = (day * 24 + begin[day] % 24 + np.arange(length[day])) % HOURS
        series[hours] = np.floor(series[hours] * left)


def people(rng):
    workday, weekend = _bumps(rng, rng.integers(1, 4)), _bumps(rng, rng.integers(1, 3), (2.0, 5.0))
    if rng.random() < 0.15:
        weekend = workday * rng.uniform(0.5, 1.2)
    days = HOURS // 24
    weekday = np.arange(days) % 7
    factor = np.where((weekday == 0) | (weekday == 6), rng.uniform(0.1, 1.6), 1.0) * np.exp(rng.normal(0, 0.08, 7))[weekday]
    free = (weekday == 0) | (weekday == 6) | (rng.random(days) < rng.choice([0, 0.02, 0.05]))
    profile = np.where(free[:, None], weekend[None, :], workday[None, :])
    weather = np.exp(_slow(rng, days, rng.uniform(0, 0.9), rng.uniform(0.02, 0.5)))
    season = np.exp(np.sin(2 * np.pi * (np.arange(days) / 365 + rng.random())) * rng.uniform(0, 1.2))
    hourly = np.exp(_slow(rng, HOURS, 0.8, rng.uniform(0.0, 0.35)))
    rate = (profile * (factor * weather * season)[:, None]).reshape(-1) * hourly * _log_uniform(rng, 0.2, 400)
    if rng.random() < 0.3:  # an event now and then, a crowd for a few hours
        for at in rng.integers(0, HOURS, rng.integers(1, 8)):
            rate[at:at + rng.integers(1, 6)] *= rng.uniform(2, 12)
    return _counted(rng, rate).astype(float)


def regular(rng):
    """So many reports an hour, of which some are lost; reception and rate change at times, by themselves or through the day."""
    rate = float(rng.choice([0.5, 1, 1, 2, 3, 4, 6, 6, 6, 12, 12, 20, 30, 60, 60, 120, 240, 360, 720, 3600]))
    received = rng.choice([1.0, rng.uniform(0.9, 1.0), rng.uniform(0.1, 1.0)])
    odds = np.log(received + 1e-3) - np.log(1 - received + 1e-3) + _slow(rng, HOURS, rng.uniform(0.9, 0.999), rng.uniform(0, 1.5))
    if rng.random() < 0.3:
        odds += rng.uniform(0.2, 1.5) * np.sin(2 * np.pi * (np.arange(HOURS) + rng.integers(24)) / 24)
    rates = np.full(HOURS, rate)
    for _ in range(rng.integers(0, 3) if rng.random() < 0.5 else 0):
        at = rng.integers(HOURS)
        rates[at:] = rate * rng.choice([0.0, 0.2, 0.5, 1, 2, 4])
    late = rng.choice([0.0, 0.0, 0.2, 0.6]) * rng.random(HOURS)  # one that is late counts in the next hour
    phase = np.maximum.accumulate(np.floor(np.cumsum(rates * _log_uniform(rng, 0.95, 1.05)) + rng.random() - late))
    sent = np.diff(phase, prepend=0).clip(min=0).astype(int)
    sent[0] = int(rates[0])
    arrived = sent if received >= 1.0 and rng.random() < 0.8 else rng.binomial(sent, 1 / (1 + np.exp(-odds)))
    arrived = arrived.astype(float)
    if rng.random() < 0.3:
        _daily_gap(rng, arrived)
    return arrived


def on_change(rng):
    """Sends when a value moved by a step, not more often than every few minutes and at least at its heartbeat."""
    per_hour = 12
    hours = np.arange(HOURS * per_hour) / per_hour
    value = np.cumsum(rng.normal(0, 1, len(hours))) * _log_uniform(rng, 0.01, 0.3)
    sun = np.maximum(0, np.sin(2 * np.pi * (hours - rng.uniform(5, 9)) / 24) + rng.uniform(-0.4, 0.5))
    clouds = np.repeat(np.exp(_slow(rng, HOURS // 24, 0.5, 0.6)), 24 * per_hour)
    value += sun * clouds * _log_uniform(rng, 0.5, 30) * (1 + rng.uniform(0, 0.3) * rng.normal(0, 1, len(hours)))
    home = np.repeat(_bumps(rng, rng.integers(1, 4))[np.arange(HOURS) % 24], per_hour)
    value += rng.normal(0, 1, len(hours)) * home * rng.uniform(0, 1.0)
    step, gap, beat = _log_uniform(rng, 0.2, 3), int(rng.integers(1, 4)), int(rng.choice([6, 12, 12, 72, 100000]))
    sent = np.zeros(len(hours))
    last, when = value[0], 0
    for i, now in enumerate(value.tolist()):
        since = i - when
        if since >= beat or (since >= gap and abs(now - last) >= step):
            sent[i], last, when = 1, now, i
    return sent.reshape(HOURS, per_hour).sum(1)


def shifts(rng):
    """A machine that runs in shifts and reports while it runs."""
    hour = np.arange(HOURS)
    begin, length = rng.integers(0, 24), rng.choice([4, 8, 8, 9, 10, 16])
    runs = (hour % 24 - begin) % 24 < length
    days_off = rng.choice(7, rng.choice([0, 1, 2, 2, 2]), replace=False)
    runs &= ~np.isin((hour // 24) % 7, days_off)
    runs &= ~np.repeat(rng.random(HOURS // 24) < rng.choice([0, 0.03, 0.1]), 24)
    rate = _log_uniform(rng, 2, 2000)
    counts = np.where(runs, rate, rate * rng.choice([0, 0, 0.02, 0.2]))
    return np.round(counts) if rng.random() < 0.5 else _counted(rng, counts).astype(float)


def batches(rng):
    """Uploads at fixed hours: every few hours, daily, weekly."""
    period = int(rng.choice([2, 3, 4, 6, 8, 12, 24, 24, 168]))
    series = np.zeros(HOURS)
    at = np.arange(rng.integers(period), HOURS, period)
    at = at[rng.random(len(at)) > rng.choice([0, 0.03, 0.15])]
    size = _log_uniform(rng, 1, 3000)
    series[at] = np.round(size * np.exp(rng.normal(0, rng.choice([0, 0.05, 0.4]), len(at))))
    return series + (rng.poisson(_log_uniform(rng, 0.01, 2), HOURS) if rng.random() < 0.4 else 0)


def rare(rng):
    """Doors, alarms, faults."""
    rate = _log_uniform(rng, 0.005, 0.6) * np.exp(_slow(rng, HOURS, 0.98, rng.uniform(0, 1.0)))
    return rng.poisson(rate * (_bumps(rng, rng.integers(1, 4))[np.arange(HOURS) % 24] if rng.random() < 0.6 else 1)).astype(float)


def bursts(rng):
    """Silence, and then much for some hours: a vehicle within reach, a campaign, a test."""
    series = np.zeros(HOURS)
    by_day = rng.random() < 0.6
    for _ in range(rng.integers(2, 40)):
        at = rng.integers(HOURS // 24) * 24 + int(rng.normal(12, 3)) if by_day else rng.integers(HOURS)
        length = max(1, int(_log_uniform(rng, 1, 30)))
        height = _log_uniform(rng, 1, 150)
        end = min(HOURS, max(0, at) + length)
        series[max(0, at):end] += rng.poisson(height * rng.gamma(2, 0.5, max(0, end - max(0, at))))
    return series
