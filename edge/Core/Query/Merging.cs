using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>Puts together what the fetches of a plan brought: what stands alone in order of time, samples that overlap one layer over the other.</summary>
internal static class Merging
{
    /// <returns>The series in order of name, each once, and what was touched for them.</returns>
    /// <exception cref="QuestionRefusedException">There are more samples than an answer may have.</exception>
    public static (List<SeriesAnswer> Series, List<TierUse> Uses) Of(Question question, SeriesInfo[] series, Fetched[] fetched)
    {
        var gathered = new Dictionary<string, Gathered>(series.Length, StringComparer.Ordinal);
        foreach (var one in series)
        {
            // (A device that moved is a series of each edge.)
            gathered.TryAdd(one.Name, new(one.Name));
            gathered[one.Name].Unit ??= one.Unit;
        }
        var uses = new List<TierUse>(fetched.Length);
        var samples = 0L;
        foreach (var (fetch, result, _) in fetched)
        {
            if (result is null)
            {
                continue;
            }
            uses.AddRange(result.Uses);
            for (var i = 0; i < result.Slices.Count; i++)
            {
                var slice = result.Slices[i];
                if (question.NeedsRaw && (samples += slice.Samples?.Count ?? 0) > Question.PointsMax)
                {
                    throw new QuestionRefusedException(new("too_many_points",
                        $"the answer has more than {Question.PointsMax} samples; use a shorter range, fewer series or a step, or ask in pages with limit="));
                }
                if (gathered.TryGetValue(slice.Series, out var one))
                {
                    one.Add(slice, fetch.Request.Parts[slice.Part], fetch.Places[slice.Part]);
                }
            }
        }
        var answers = new List<SeriesAnswer>(gathered.Count);
        foreach (var one in gathered.Values)
        {
            answers.Add(one.Answer(question));
        }
        answers.Sort(static (one, other) => string.CompareOrdinal(one.Name, other.Name));
        return (answers, TierUse.Condense(uses));
    }

    /// <summary>What came of one series, slice by slice.</summary>
    private sealed class Gathered(string name)
    {
        private readonly List<Piece> _pieces = new(1);
        private List<MergedLayer>? _layers;

        public string? Unit { get; set; }

        public void Add(Slice slice, FetchPart part, PartPlace place)
        {
            if (slice.Rows is null && place.Merge >= 0)
            {
                (_layers ??= []).Add(new(place, part.Range.From, slice.Samples!, part.Edge, slice.Erased));
            }
            else
            {
                _pieces.Add(new(part.Range.From, slice.Samples, slice.Rows));
            }
        }

        public SeriesAnswer Answer(Question question)
        {
            if (_layers is not null)
            {
                _pieces.AddRange(_layers.GroupBy(layer => layer.Place.Merge).Select(merge => new Piece(merge.First().From, Over([.. merge.OrderBy(layer => layer.Place.Order)]), null)));
            }
            // Pieces do not overlap: in order of time they are the whole.
            _pieces.Sort(static (one, other) => one.From.CompareTo(other.From));
            return new(name, Unit, question.NeedsRaw ? Samples() : null, question.NeedsRollups ? Rows(question) : null);
        }

        /// <param name="layers">Oldest first; a deletion ends what the same edge took in before, not what another edge has of the series.</param>
        private static SampleColumns Over(List<MergedLayer> layers)
        {
            for (var i = 1; i < layers.Count; i++)
            {
                foreach (var erased in layers[i].Erased)
                {
                    for (var under = 0; under < i; under++)
                    {
                        layers[under] = layers[under].Edge == layers[i].Edge ? layers[under] with { Samples = layers[under].Samples.Without(erased) } : layers[under];
                    }
                }
            }
            return SampleColumns.MergeLastWins(layers.ConvertAll(layer => layer.Samples), out _);
        }

        private SampleColumns Samples()
        {
            if (_pieces is [{ Samples: { } only }])
            {
                return only;
            }
            var joined = new SampleColumns(_pieces.Sum(p => p.Samples!.Count));
            foreach (var part in _pieces.Select(p => p.Samples!))
            {
                var states = part.States;
                for (var i = 0; i < part.Count; i++)
                {
                    joined.Add(part.Times[i], part.Values[i], states.IsEmpty ? null : states[i]);
                }
            }
            return joined;
        }

        private BucketRows Rows(Question question)
        {
            if (_pieces is [{ Rows: { } only }])
            {
                return only;
            }
            var rows = new BucketRows(question.Needs);
            var grid = question.Grid;
            foreach (var piece in _pieces)
            {
                if (piece.Rows is { } more)
                {
                    rows.Merge(more);
                    more.Dispose();
                }
                else
                {
                    rows.Add(piece.Samples!, grid);
                }
            }
            return rows;
        }
    }

    /// <summary>What a part gave for a series, or a merge of several.</summary>
    private readonly record struct Piece(long From, SampleColumns? Samples, BucketRows? Rows);

    private sealed record MergedLayer(PartPlace Place, long From, SampleColumns Samples, string Edge, IReadOnlyList<TimeRange> Erased);
}
