"""The training loop."""

import math
import sys
import time

import numpy as np
import torch

from .model import QUANTILES, VolumeLstm, pinball
from .windows import Windows


def learn(windows: Windows, steps: int, batch: int, seed: int, rate: float = 2e-3) -> VolumeLstm:
    """Pinball loss, Adam with a cosine schedule; the answer is the mean of the weights over the last steps, which is steadier than the last ones."""
    torch.manual_seed(seed)
    model = VolumeLstm()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    began, sums = time.monotonic(), 0.0
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        history, calendar, target = (torch.from_numpy(array) for array in windows.batch(batch))
        loss = _loss(model(history, calendar), history, target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        keep = min(0.995, step / (step + 10.0))
        for name, value in model.state_dict().items():
            average[name].mul_(keep).add_(value.detach(), alpha=1 - keep)
        sums += float(loss)
        if (step + 1) % 250 == 0:
            print(f"step {step + 1}/{steps}  loss {sums / 250:.4f}  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            sums = 0.0
    model.load_state_dict(average)
    return model.eval()


def _loss(answer: torch.Tensor, history: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """
    Half of it on log counts, where large and small hours weigh alike, half on counts, which is what is reserved; both in terms of how much the
    series differs from the week before, so that no series is worth more than another for being large or erratic.
    """
    wanted = (target >= 0).float()
    target = torch.relu(target)
    logs, log_target = torch.log(answer + 1.0), torch.log(target + 1.0)
    usual, log_usual = _usual(history, target, wanted)
    total = 0.0
    for i, quantile in enumerate(QUANTILES):
        share = 0.5 if i == 0 else 1.0
        counted = (pinball(answer[:, :, i], target, quantile) / usual).clamp(max=20.0)
        logged = pinball(logs[:, :, i], log_target, quantile) / log_usual
        total = total + share * ((0.5 * counted + 0.5 * logged) * wanted).sum() / wanted.sum().clamp(min=1.0)
    return total


def _usual(history, target, wanted):
    """Mean absolute difference from the week (or day) before, of counts and of log counts; [batch, 1] each."""
    whole, known = torch.cat([torch.relu(history), target], 1), torch.cat([(history >= 0).float(), wanted], 1)
    sums = []
    for values in (whole, torch.log(whole + 1.0)):
        of_lag = []
        for lag in (24, 168):
            both = known[:, lag:] * known[:, :-lag]
            of_lag.append(((values[:, lag:] - values[:, :-lag]).abs() * both).sum(1, keepdim=True) / both.sum(1, keepdim=True).clamp(min=1.0))
        mean = (values * known).sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1.0)
        sums.append(torch.maximum(torch.maximum(of_lag[0], of_lag[1]), torch.maximum(0.05 * mean, torch.full_like(mean, 0.02))))
    return sums


def answer(model: VolumeLstm, history: np.ndarray, calendar: np.ndarray, batch: int = 500) -> np.ndarray:
    with torch.no_grad():
        parts = [model(torch.from_numpy(np.ascontiguousarray(history[i:i + batch])), torch.from_numpy(calendar[i:i + batch])).numpy()
                 for i in range(0, len(history), batch)]
    return np.concatenate(parts) if parts else np.zeros((0, 24, 3), np.float32)
