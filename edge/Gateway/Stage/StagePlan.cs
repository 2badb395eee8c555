using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Warm;
using Foretier.Predict.Place;

namespace Foretier.Gateway.Stage;

/// <summary>What of a window could be copied to this disk, or has been.</summary>
/// <param name="Copy">The copy, where there is one.</param>
internal sealed record StageItem(string Edge, Core.Partitions.Window Window, long After, long Through, CopyOf Source, long Resolution, long SourceBytes, WarmCopy? Copy);

/// <summary>Which copies to drop and which to make, in this order. Pure.</summary>
internal sealed record StagePlan(IReadOnlyList<WarmCopy> Drops, IReadOnlyList<StageItem> Makes, long WantedBytes, long MissingBytes)
{
    /// <summary>Rollups of an hour serve every coarser step; finer ones are little smaller than the samples, which serve all.</summary>
    public const long RollupStep = Instant.Hour;

    /// <summary>About what an hour's rollup of a series takes; what has been made is known exactly.</summary>
    private const int RollupBytes = 24;

    /// <summary>Samples copied take a little more than Parquet does, for their rollups.</summary>
    private const double CopyToArchive = 1.2;

    /// <param name="savedSeconds">What a question is answered sooner by this disk than by the archive.</param>
    public static StagePlan Make(
        PlacePolicy policy, PlaceBudget budget, StageDemand demand, double savedSeconds, IReadOnlyList<Holding> archived, IReadOnlyList<WarmWindow> held,
        IReadOnlyCollection<WarmCopy> copies, Func<string, int> seriesOf, long now)
    {
        var known = copies.ToDictionary(copy => (copy.Edge, copy.Window, copy.File.After, copy.File.Through, copy.Source, copy.Resolution));
        var items = new List<StageItem>();
        var candidates = new List<Candidate>();
        void Add(string edge, Core.Partitions.Window window, long after, long through, CopyOf source, long resolution, long sourceBytes, double saved)
        {
            var copy = known.GetValueOrDefault((edge, window, after, through, source, resolution));
            var (wanted, account) = demand.Of(edge, window.Range, resolution > 0);
            if (copy is null && wanted == Demand.None)
            {
                return;
            }
            known.Remove((edge, window, after, through, source, resolution));
            var hours = window.Length / RollupStep;
            var bytes = copy?.Bytes ?? (resolution > 0 ? Math.Min(sourceBytes, seriesOf(edge) * hours * RollupBytes) : (long)(sourceBytes * CopyToArchive));
            items.Add(new(edge, window, after, through, source, resolution, sourceBytes, copy));
            candidates.Add(new($"{edge} {window} {(resolution > 0 ? "1h" : "raw")}", account,
                copy is not null ? CandidateState.Here : resolution > 0 ? CandidateState.Unbuilt : CandidateState.Below, Math.Max(1, bytes), wanted, saved)
            {
                BuildSeconds = resolution > 0 ? sourceBytes / 20e6 : 0,
                FetchBytes = copy is null && resolution > 0 && source == CopyOf.Archive ? sourceBytes : 0,
            });
        }
        foreach (var holding in archived)
        {
            Add(holding.Edge, holding.Window, holding.After, holding.Through, CopyOf.Archive, 0, holding.Bytes, savedSeconds);
            Add(holding.Edge, holding.Window, holding.After, holding.Through, CopyOf.Archive, RollupStep, holding.Bytes, savedSeconds);
        }
        foreach (var window in held.Where(window => window.Window.End <= now))
        {
            // Read here anyway: what is saved is decoding.
            Add(window.Edge, window.Window, window.After, window.Through, CopyOf.Own, RollupStep, window.Files.Sum(file => file.Bytes), savedSeconds / 10);
        }
        var plan = policy.Plan(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(candidates), budget, now);
        // One copy of a window: samples have their rollups with them.
        var withSamples = items.Where((item, i) => item.Resolution == 0 && plan.Keeps[i]).Select(item => (item.Edge, item.Window, item.After, item.Source)).ToHashSet();
        bool IsDouble(StageItem item) => item.Resolution > 0 && withSamples.Contains((item.Edge, item.Window, item.After, item.Source));
        var drop = known.Values.Concat(plan.Drops.Select(placement => items[placement.Index].Copy!)).Concat(items.Where(item => item.Copy is not null && IsDouble(item)).Select(item => item.Copy!));
        return new([.. drop.Distinct()], [.. plan.Brings.Select(placement => items[placement.Index]).Where(item => !IsDouble(item))],
            (long)plan.Bytes, (long)plan.Unaffordable.Where(p => p.Missing == Shortage.Bytes).Sum(p => candidates[p.Index].Bytes));
    }
}
