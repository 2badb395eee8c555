"""The network. All scaling is inside, so that whoever runs it cannot get it wrong; every operation exports to ONNX opset 17."""

import torch
from torch import nn
from torch.nn import functional as F

from .series import HISTORY, HORIZON

DAYS = HISTORY // 24
PATCH = 6
READ = 336  # hours that the LSTM reads; what came before reaches the forecast by the same hours of those days
QUANTILES = (0.1, 0.5, 0.9)


class VolumeLstm(nn.Module):
    """
    history [batch, 672], calendar [batch, 192, 4] -> P10, P50, P90 [batch, 24, 3] of counts an hour.

    Counts are taken as log1p and scaled by mean and deviation of the known hours. An LSTM reads patches of 6 hours of the last two weeks; for each hour to come a
    small network sees its summary, the same hour of the last 28 days and the calendar, and answers with weights over those 28 days, a
    correction of their mean, and two spreads that are never negative, so that the quantiles do not cross.
    """

    def __init__(self, hidden: int = 48, width: int = 64):
        super().__init__()
        self.lstm = nn.LSTM(2 * PATCH + 4, hidden, batch_first=True)
        self.context = nn.Linear(hidden, width)
        self.hour = nn.Linear(2 * DAYS + 4 + 9, width)
        self.mix = nn.Linear(width, width)
        self.answer = nn.Linear(width, DAYS + 3)
        self.dropout = nn.Dropout(0.1)

    def forward(self, history: torch.Tensor, calendar: torch.Tensor) -> torch.Tensor:
        known = (history >= 0).float()
        logs = torch.log(F.relu(history) + 1.0)
        count = known.sum(1, keepdim=True).clamp(min=1.0)
        mean = (logs * known).sum(1, keepdim=True) / count
        off = (logs - mean) * known
        deviation = torch.sqrt((off * off).sum(1, keepdim=True) / count + FLOOR * FLOOR)
        scaled = (off / deviation).clamp(-20.0, 20.0)

        context = self._read(scaled, known, calendar)
        # [batch, 24, 28]: the same hour of each of the last days, yesterday first.
        days = scaled.reshape(-1, DAYS, 24).flip(1).transpose(1, 2)
        was = known.reshape(-1, DAYS, 24).flip(1).transpose(1, 2)
        of_month, _ = _of_hour(days, was)
        of_week, spread = _of_hour(days[:, :, :7], was[:, :, :7])
        whole = self._whole(scaled, known, mean, deviation).unsqueeze(1).expand(-1, HORIZON, -1)
        features = torch.cat([days, was, calendar[:, -HORIZON:, :], of_month, of_week, spread, days[:, :, :1] - of_week, whole], 2)
        hidden = F.relu(self.context(self.dropout(context)).unsqueeze(1) + self.hour(features))
        answer = self.answer(F.relu(self.mix(self.dropout(hidden))))

        # Unknown days have no weight; where none is known the mean of what is (0 when scaled) remains.
        weight = torch.exp(answer[:, :, :DAYS].clamp(-15.0, 15.0)) * was
        # Where every day of the week was the same, the correction is small unless there is much reason for it.
        middle = (weight * days).sum(2) / (weight.sum(2) + 1e-6) + answer[:, :, DAYS] * (spread.squeeze(2) + 0.1)
        low = middle - F.softplus(answer[:, :, DAYS + 1])
        high = middle + F.softplus(answer[:, :, DAYS + 2])
        quantiles = torch.stack([low, middle, high], 2) * deviation.unsqueeze(2) + mean.unsqueeze(2)
        return F.relu(torch.exp(quantiles.clamp(max=30.0)) - 1.0)

    def _read(self, scaled, known, calendar):
        """The LSTM's last state, over the patches of two weeks; the calendar of the last one stands for both."""
        patches = READ // PATCH
        at = calendar[:, 0:168:PATCH, :].repeat(1, READ // 168, 1)
        steps = torch.cat([scaled[:, -READ:].reshape(-1, patches, PATCH), known[:, -READ:].reshape(-1, patches, PATCH), at], 2)
        # Its beginning is written out: an exporter would fix the batch of the one that is taken by default.
        none = torch.zeros(1, steps.shape[0], self.lstm.hidden_size)
        _, (state, _) = self.lstm(steps, (none, none))
        return state[0]

    @staticmethod
    def _whole(scaled, known, mean, deviation):
        """Level of the last hours and of the last day, size, spread, how much is known."""
        recent = [(scaled[:, -k:] * known[:, -k:]).sum(1, keepdim=True) / known[:, -k:].sum(1, keepdim=True).clamp(min=1.0) for k in (3, 24)]
        return torch.cat(recent + [mean / 4.0, torch.log(deviation) / 2.0, known.mean(1, keepdim=True)], 1)


def _of_hour(days, was):
    """Mean and spread over the known days, [batch, 24, 1] each."""
    n = was.sum(2, keepdim=True).clamp(min=1.0)
    mean = (days * was).sum(2, keepdim=True) / n
    return mean, torch.sqrt((((days - mean) * was) ** 2).sum(2, keepdim=True) / n + 1e-6)


FLOOR = 0.03  # of the deviation of log1p: a device that always reports 3,600 an hour still differs by one now and then


def pinball(forecast: torch.Tensor, actual: torch.Tensor, quantile: float) -> torch.Tensor:
    error = actual - forecast
    return torch.maximum(quantile * error, (quantile - 1.0) * error)
