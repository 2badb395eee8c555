"""
The seventeen features of the access-ranker contract, told twice: `at` says what they are, key by key and hour by hour, from all reads;
`daily` computes them for all keys at every midnight, fast enough to learn from. C# has the same in edge/Predict/Access/ReadFeatures.cs.
Hours are counted from 1970, UTC. Days and weekdays here are of UTC; the product takes the account's time zone.
"""

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

COUNT = 17
OWN = np.array([6, 24, 72, 168, 336, 672, 2160], np.float64)  # half-lives, hours
DEVICE = np.array([24, 168, 672], np.float64)
ACCOUNT = 168.0
MONTH = 672.0
RECENCY_MAX, AGE_MAX = 2160, 400


class Reads(NamedTuple):
    """Reads ordered by time: the hour and the key of each, and the keys' names."""
    hour: np.ndarray
    key: np.ndarray
    names: List[str]


def device_of(name: str) -> str:
    return name.rstrip("/").rpartition("/")[0] or name.rstrip("/")


def account_of(name: str) -> str:
    return name.partition("/")[0]


def at(reads: Sequence[Tuple[str, int, int]], name: str, now: int) -> np.ndarray:
    """Features of a key at the beginning of an hour, from reads (name, hour, count) before it."""
    def faded(chosen, half_life):
        return sum(count * 2.0 ** (-(now - hour) / half_life) for _, hour, count in chosen)

    own = [read for read in reads if read[0] == name]
    device = [read for read in reads if device_of(read[0]) == device_of(name)]
    account = [read for read in reads if account_of(read[0]) == account_of(name)]
    weekday = ((now + 12) // 24 + 4) % 7
    first_of_day = {}
    for _, hour, _ in own:
        first_of_day[hour // 24] = min(hour, first_of_day.get(hour // 24, hour))
    values = [faded(own, half_life) for half_life in OWN]
    values += [min(max(now - max(hour for _, hour, _ in own), 0), RECENCY_MAX), min(max((now - min(hour for _, hour, _ in own)) / 24, 0), AGE_MAX)]
    values += [faded(device, half_life) for half_life in DEVICE] + [faded(account, ACCOUNT)]
    values += [faded([read for read in own if (read[1] // 24 + 4) % 7 == weekday], MONTH)]
    active = sum(2.0 ** (-(now - hour) / MONTH) for hour in first_of_day.values())
    logs = np.log1p(np.array(values + [active]))
    turn = 2 * np.pi * weekday / 7
    return np.concatenate([logs[:14], [np.sin(turn), np.cos(turn)], logs[14:]]).astype(np.float32)


def daily(reads: Reads) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [day, key, 17] at each midnight, which keys were known then [day, key], and the reads of the day that followed [day, key]."""
    day = reads.hour // 24
    start, days, keys = int(day[0]), int(day[-1] - day[0] + 1), len(reads.names)
    device, account = _index([device_of(name) for name in reads.names]), _index([account_of(name) for name in reads.names])
    counts = np.zeros((days, keys), np.float32)
    np.add.at(counts, (day - start, reads.key), 1)
    features = np.zeros((days, keys, COUNT), np.float32)
    own, devices, accounts = np.zeros((len(OWN), keys)), np.zeros((len(DEVICE), device.max() + 1)), np.zeros(account.max() + 1)
    weekdays, active = np.zeros((7, keys)), np.zeros(keys)
    first, last = np.full(keys, -1.0), np.full(keys, -1.0)
    bounds = np.searchsorted(day, np.arange(start, start + days + 1))
    for d in range(days):
        now, weekday, known = (start + d) * 24, (start + d + 4) % 7, first >= 0
        x = features[d]
        x[:, 0:7] = np.log1p(own).T
        x[:, 7] = np.log1p(np.minimum(now - last, RECENCY_MAX))
        x[:, 8] = np.log1p(np.minimum((now - first) / 24, AGE_MAX))
        x[:, 9:12] = np.log1p(devices)[:, device].T
        x[:, 12] = np.log1p(accounts)[account]
        x[:, 13] = np.log1p(weekdays[weekday])
        x[:, 14], x[:, 15] = np.sin(2 * np.pi * weekday / 7), np.cos(2 * np.pi * weekday / 7)
        x[:, 16] = np.log1p(active)
        x[~known] = 0

        key, hour, end = reads.key[bounds[d]:bounds[d + 1]], reads.hour[bounds[d]:bounds[d + 1]], now + 24
        for table, half_lives, of in ((own, OWN, key), (devices, DEVICE, device[key])):
            table *= 2 ** (-24 / half_lives)[:, None]
            for row, half_life in enumerate(half_lives):
                np.add.at(table[row], of, 2.0 ** (-(end - hour) / half_life))
        accounts *= 2 ** (-24 / ACCOUNT)
        np.add.at(accounts, account[key], 2.0 ** (-(end - hour) / ACCOUNT))
        weekdays *= 2 ** (-24 / MONTH)
        np.add.at(weekdays[weekday], key, 2.0 ** (-(end - hour) / MONTH))
        active *= 2 ** (-24 / MONTH)
        read, where = np.unique(key, return_index=True)
        active[read] += 2.0 ** (-(end - hour[where]) / MONTH)
        new = read[first[read] < 0]
        first[new] = hour[where][first[read] < 0]
        np.maximum.at(last, key, hour)
    return features, features[:, :, 8] > 0, counts


def _index(names: Sequence[str]) -> np.ndarray:
    known = {}
    return np.array([known.setdefault(name, len(known)) for name in names])
