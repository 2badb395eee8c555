"""Rolling-origin scores of a model against seasonal baselines; the same definitions as `foretier backtest`, without its mixing and calibration."""

from datetime import datetime
from typing import Callable, Dict, List, Optional

import numpy as np

from .series import HISTORY, HORIZON, Series, calendar_at, hours_until, window

EVERY = 25  # hours between origins, so that every hour of the day is one
BASELINES = ("SN24", "SN168", "HoW4")


def origins(series: Series, since: Optional[datetime]) -> range:
    first = HISTORY if since is None else max(HISTORY, hours_until(series, since))
    return range(first, len(series.values) - HORIZON + 1, EVERY)


def pinball(forecast, actual, quantile):
    error = actual - forecast
    return np.maximum(quantile * error, (quantile - 1) * error)


def baseline(name: str, history: np.ndarray):
    """P50 and P90 of the next 24 hours; P90 from the errors it made in the same 28 days. history [n, 672] without unknown hours."""
    if name == "HoW4":
        weeks = history.reshape(len(history), 4, 168)
        mean = weeks.mean(1)
        errors = (weeks - (weeks.sum(1, keepdims=True) - weeks) / 3).reshape(len(history), -1)
        point = mean[:, :HORIZON]
    else:
        lag = int(name[2:])
        errors = history[:, lag:] - history[:, :-lag]
        point = history[:, HISTORY - lag:HISTORY - lag + HORIZON]
    return point, np.maximum(point, point + np.quantile(errors, 0.9, axis=1)[:, None])


def score(series: List[Series], forecast: Callable[[np.ndarray, np.ndarray], np.ndarray], since: Optional[datetime] = None) -> Dict[str, Dict[str, float]]:
    """forecast: (history, calendar) -> [n, 24, 3]. Of each forecaster: rel (geometric mean of wQL against SN168's), MASE, coverage, over-reservation."""
    sums = {name: {"wql": [], "mase": [], "cover": 0.0, "hours": 0, "over": 0.0, "volume": 0.0} for name in ("model",) + BASELINES}
    for one in series:
        at = origins(one, since)
        if len(at) == 0:
            continue
        history = np.stack([window(one.values, origin) for origin in at])
        actual = np.stack([one.values[origin:origin + HORIZON] for origin in at])
        answers = {name: baseline(name, np.maximum(history, 0)) for name in BASELINES}
        quantiles = forecast(history, calendar_at(np.array([one.hour + origin for origin in at])))
        answers["model"] = (quantiles[:, :, 1], quantiles[:, :, 2])
        known = actual >= 0
        usual = np.abs(one.values[24:] - one.values[:-24]).mean()
        volume = max(1e-9, actual[known].sum())
        for name, (middle, high) in answers.items():
            into = sums[name]
            into["wql"].append((pinball(middle, actual, 0.5)[known].sum() + pinball(high, actual, 0.9)[known].sum()) / volume)
            into["mase"].append(np.abs(middle - actual)[known].mean() / max(1e-9, usual))
            into["cover"] += (actual <= high + 1e-6)[known].sum()
            into["hours"] += known.sum()
            into["over"] += np.maximum(high - actual, 0)[known].sum()
            into["volume"] += volume
    base = np.maximum(1e-9, sums["SN168"]["wql"])
    return {name: {"rel": float(np.exp(np.log(np.maximum(1e-9, s["wql"]) / base).mean())), "mase": float(np.mean(s["mase"])),
                   "coverage": float(s["cover"] / max(1, s["hours"])), "over": float(s["over"] / max(1e-9, s["volume"]))} for name, s in sums.items()}
