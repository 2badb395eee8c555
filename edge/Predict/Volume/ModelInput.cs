using Foretier.Predict.Models;

namespace Foretier.Predict.Volume;

/// <summary>The tensors that volume-lstm takes, for a batch of series.</summary>
internal sealed class ModelInput(int rows)
{
    private const int History = SeriesVolume.HoursRead, Calendar = LocalHours.OfWeek + ExpertBands.DayHours, Features = 4;

    private readonly float[] _history = new float[rows * History];
    private readonly float[] _calendar = new float[rows * Calendar * Features];

    public int Rows { get; private set; }

    /// <param name="counts">Closed hours, oldest first, −1 = unknown; where there are fewer than the model takes, those before are unknown.</param>
    /// <param name="slots">Hour of the week of each of them, and of the next 24.</param>
    public void Add(ReadOnlySpan<int> counts, ReadOnlySpan<byte> slots)
    {
        var history = _history.AsSpan(Rows * History, History);
        history.Fill(-1);
        for (var i = 0; i < counts.Length; i++)
        {
            history[History - counts.Length + i] = counts[i];
        }
        var calendar = _calendar.AsSpan(Rows * Calendar * Features, Calendar * Features);
        for (var i = 0; i < Calendar; i++)
        {
            var at = counts.Length - LocalHours.OfWeek + i;
            // Before a short history: whole weeks later, the same hour of the week.
            var week = at >= 0 ? slots[at] : slots[at + LocalHours.OfWeek < slots.Length ? at + LocalHours.OfWeek : slots.Length - 1];
            (calendar[i * Features], calendar[i * Features + 1]) = MathF.SinCos(week % 24 * (MathF.Tau / 24));
            (calendar[i * Features + 2], calendar[i * Features + 3]) = MathF.SinCos(week * (MathF.Tau / LocalHours.OfWeek));
        }
        Rows++;
    }

    /// <summary>The tensors of what was added. Those of a full batch are the buffers themselves, a quarter of a megabyte each: the next <see cref="Add"/> changes them.</summary>
    public IReadOnlyList<Tensor> Take()
    {
        float[] Of(float[] buffer, int row) => Rows == rows ? buffer : buffer.AsSpan(0, Rows * row).ToArray();
        Tensor[] tensors =
        [
            new(Of(_history, History), [Rows, History]),
            new(Of(_calendar, Calendar * Features), [Rows, Calendar, Features]),
        ];
        Rows = 0;
        return tensors;
    }
}
