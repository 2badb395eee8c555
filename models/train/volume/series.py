"""Hourly series: reading them, and the calendar of their local hours."""

import gzip
import json
from datetime import datetime, timedelta
from typing import List, NamedTuple, Optional

import numpy as np

HISTORY = 672  # 28 days
HORIZON = 24
CALENDAR = 168 + HORIZON  # the last week and the day to come
UNKNOWN = -1.0
WEEK = 168


class Series(NamedTuple):
    name: str
    values: np.ndarray  # float32 counts an hour; UNKNOWN where nobody was counting
    hour: int  # hour of the week of the first value; 0 is Sunday, midnight to one
    start: Optional[datetime]  # local time of the first value; None where generated

    @property
    def last(self) -> datetime:
        return self.start + timedelta(hours=max(0, len(self.values) - 1))


def read(path: str) -> List[Series]:
    """One JSON object a line, {series, start, freq, tz, values[]}; null or negative is unknown; .gz or plain."""
    found = []
    with gzip.open(path, "rt") if path.endswith(".gz") else open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                found.append(_parse(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise SystemExit(f"{path}, line {number}: no hourly series: {error!r}; wanted {{series, start, freq: \"H\", tz, values: [...]}}")
    return found


def _parse(line: dict) -> Series:
    if line.get("freq", "H") not in ("H", "h", "1h"):
        raise ValueError(f"freq is {line['freq']!r}, not \"H\"")
    start = datetime.fromisoformat(line["start"].replace("Z", "+00:00"))
    values = np.array([UNKNOWN if v is None or v < 0 else v for v in line["values"]], dtype=np.float32)
    if not np.isfinite(values).all():
        raise ValueError("values are not all numbers")
    return Series(str(line["series"]), values, (start.isoweekday() % 7) * 24 + start.hour, start.replace(tzinfo=None))


def before(series: Series, until: datetime) -> Series:
    return series._replace(values=series.values[:hours_until(series, until)])


def hours_until(series: Series, until: datetime) -> int:
    return max(0, int((until - series.start) // timedelta(hours=1)))


def calendar(hour_of_week: np.ndarray) -> np.ndarray:
    """Sine and cosine of the hour of the day and of the week: [...] → [..., 4]."""
    day = 2 * np.pi * (hour_of_week % 24) / 24
    week = 2 * np.pi * (hour_of_week % WEEK) / WEEK
    return np.stack([np.sin(day), np.cos(day), np.sin(week), np.cos(week)], axis=-1).astype(np.float32)


def calendar_at(hour_of_next: np.ndarray) -> np.ndarray:
    """The calendar input [batch, 192, 4] of forecasts whose first hour is this one of the week."""
    return calendar(np.asarray(hour_of_next)[:, None] + np.arange(CALENDAR) - WEEK)


def window(values: np.ndarray, origin: int) -> np.ndarray:
    """The last HISTORY hours before an origin; unknown where the series had not begun."""
    history = np.full(HISTORY, UNKNOWN, dtype=np.float32)
    known = values[max(0, origin - HISTORY):origin]
    if len(known):
        history[-len(known):] = known
    return history
