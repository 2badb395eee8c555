using System.Globalization;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>
/// What a source makes of its layers for a request, part by part and series by series. Where order does not matter, all parts of a series go into
/// the same rows: a question over a year has then one slice a series and not one a day.
/// </summary>
public sealed class FetchScan(FetchRequest request)
{
    private readonly Slice?[] _joined = new Slice?[request.Series.Count];
    private readonly List<Slice> _slices = [];
    private readonly List<int> _gone = [];
    private readonly List<TierUse> _uses = [];

    /// <param name="part">Index of the part.</param>
    /// <param name="range">What is wanted of it.</param>
    /// <param name="series">The series' place in the request.</param>
    /// <param name="layers">What the source has of both, no less.</param>
    /// <param name="erased">Where older layers elsewhere were deleted; null for nowhere.</param>
    /// <returns>How coarse what was needed is, as <see cref="SeriesScan.Into"/> tells it.</returns>
    public long Add(int part, TimeRange range, int series, IReadOnlyList<Layer> layers, IReadOnlyList<TimeRange>? erased = null)
    {
        if (request.Raw)
        {
            var samples = SeriesScan.Raw(range, layers);
            if (samples.Count > 0 || erased is { Count: > 0 })
            {
                _slices.Add(new(part, request.Series[series], samples, null) { Erased = erased ?? [] });
            }
            return 0;
        }
        var grid = request.GridOf(range);
        if (request.Needs == RollupParts.None)
        {
            var slice = _joined[series] ??= new(part, request.Series[series], null, request.NewRows(CountOf(layers) * request.Parts.Count));
            return SeriesScan.Into(slice.Rows!, grid, layers);
        }
        var rows = request.NewRows();
        var resolution = SeriesScan.Into(rows, grid, layers);
        if (rows.Count > 0)
        {
            _slices.Add(new(part, request.Series[series], null, rows));
        }
        return resolution;
    }

    /// <summary>The source has this part no longer.</summary>
    public void Gone(int part) => _gone.Add(part);

    public void Used(TierUse use) => _uses.Add(use);

    public FetchResult Result()
    {
        foreach (var slice in _joined)
        {
            if (slice?.Rows is { Count: > 0 })
            {
                _slices.Add(slice);
            }
            else
            {
                slice?.Rows?.Dispose();
            }
        }
        return new(_slices, _gone, TierUse.Condense(_uses));
    }

    private static long CountOf(IReadOnlyList<Layer> layers)
    {
        var count = 0L;
        for (var i = 0; i < layers.Count; i++)
        {
            count += layers[i].Count;
        }
        return count;
    }

    /// <summary>raw, 1m, 5m, 1h, …, or summary, of what <see cref="Add"/> returned.</summary>
    public static string NameOf(long resolution) => resolution switch
    {
        0 => "raw",
        long.MaxValue => "summary",
        Instant.Minute => "1m",
        5 * Instant.Minute => "5m",
        Instant.Hour => "1h",
        _ when resolution % Instant.Hour == 0 => string.Create(CultureInfo.InvariantCulture, $"{resolution / Instant.Hour}h"),
        _ when resolution % Instant.Minute == 0 => string.Create(CultureInfo.InvariantCulture, $"{resolution / Instant.Minute}m"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{resolution / Instant.Second}s"),
    };
}
