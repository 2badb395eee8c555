using System.Diagnostics.Metrics;
using System.Globalization;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Warm;

namespace Foretier.Gateway.Care;

/// <summary>
/// The budgets of disk and archive: what the maps of the edges expect of the windows that are open or to come (nine windows in ten stay within it) counts as
/// used before it arrives, so that room is made ahead of it, and where there is none that is said before it hurts.
/// </summary>
/// <param name="maps">What the edges expect; a hint: nothing is refused for it.</param>
/// <param name="volume">Bytes that are free on the disk's volume.</param>
internal sealed class RoomAhead(WarmStore store, Func<PartitionMap> maps, CareOptions options, Func<long> volume, TimeProvider clock, ILogger<RoomAhead> log)
{
    /// <summary>An exbibyte: more than any disk has.</summary>
    private const long ExpectedMost = 1L << 60;

    private TierRoom _archive;

    /// <summary>Of the disk, now. What copies take is room: they go first.</summary>
    public TierRoom Disk
    {
        get
        {
            long held = store.HeldBytes, copies = store.Copies.Sum(copy => copy.Bytes), free = volume() + copies;
            return new(held, ExpectedOn(Tier.Hdd), options.BytesMax > 0 ? Math.Min(options.BytesMax, held + free) : held + free);
        }
    }

    /// <summary>Bytes of the volume that copies may take beside samples, and those that are expected.</summary>
    public long ForCopies => Disk is var disk ? Math.Max(0, volume() + store.Copies.Sum(copy => copy.Bytes) - (disk.Expected - disk.Short)) : 0;

    /// <summary>Of the archive, as of the last <see cref="LookAsync"/>; what is on the disk and belongs there counts as expected. No limit: nothing is said of it.</summary>
    public TierRoom Archive => _archive;

    /// <summary>What cannot be reserved, for the health page; null while all can.</summary>
    public string? Problem { get; private set; }

    /// <summary>True from nine tenths of the disk's share on, what is expected included.</summary>
    public bool IsDiskNearlyFull => Disk is var disk && disk.Used + disk.Expected > disk.Most / 10 * 9;

    /// <summary>Holds what is expected against what there is.</summary>
    public async Task LookAsync(CancellationToken cancel)
    {
        if (options.ArchiveBytesMax > 0)
        {
            var archived = await store.ReadArchivedAsync(cancel).ConfigureAwait(false);
            _archive = new(archived.Sum(holding => holding.Bytes), ExpectedOn(Tier.Archive) + store.HeldBytes, options.ArchiveBytesMax);
        }
        var problem = string.Join("; ", new[]
        {
            Disk is { Short: > 0 } disk ? Say("this disk", disk, "archive more, give it a larger share (Care:BytesMax), or free the volume") : null,
            _archive is { Most: > 0, Short: > 0 } archive ? Say("the archive", archive, "give it more (Care:ArchiveBytesMax), or delete what nobody needs") : null,
        }.OfType<string>());
        if (problem.Length > 0 && Problem is null)
        {
            log.LogWarning("{Problem}", problem);
        }
        Problem = problem.Length > 0 ? problem : null;
    }

    public void Observe(Meter meter)
    {
        void Gauge(string name, string help, Func<TierRoom, long> figure) => meter.CreateObservableGauge(name, () => new[] { ("hdd", Disk), ("archive", Archive) }
            .Where(tier => tier.Item2.Most > 0).Select(tier => new Measurement<long>(figure(tier.Item2), new KeyValuePair<string, object?>("tier", tier.Item1))), "By", help);
        Gauge("foretier.reserve.wanted.bytes", "What windows that are open or to come are predicted to need there.", room => room.Expected);
        Gauge("foretier.reserve.ready.bytes", "What there is room for of it: less means that batches will have to wait.", room => room.Expected - room.Short);
    }

    private long ExpectedOn(Tier tier)
    {
        var now = Instant.Now(clock);
        var held = store.Held.Where(window => window.Window.End > now).ToDictionary(window => (window.Edge, window.Window), window => window.Files.Sum(file => file.Bytes));
        // Whatever a map says, the sum is one that can be reckoned with.
        Int128 expected = 0;
        foreach (var window in maps().Entries.Where(entry => entry.Id.Window.End > now).GroupBy(entry => (entry.Edge, entry.Id.Window)))
        {
            Int128 wanted = 0;
            foreach (var entry in window)
            {
                wanted += Math.Max(0, entry.Reserved.On(tier));
            }
            expected += Int128.Max(0, wanted - held.GetValueOrDefault(window.Key));
        }
        return (long)Int128.Min(expected, ExpectedMost);
    }

    private static string Say(string where, TierRoom room, string hint) => string.Create(CultureInfo.InvariantCulture,
        $"{room.Expected / 1e6:N0} MB more are expected on {where} and {Math.Max(0, room.Most - room.Used) / 1e6:N0} MB of {room.Most / 1e6:N0} are free: {hint}");
}

/// <summary>Room of a tier, bytes.</summary>
/// <param name="Most">What may be used in all.</param>
internal readonly record struct TierRoom(long Used, long Expected, long Most)
{
    /// <summary>What of the expected finds no room.</summary>
    public long Short => Math.Clamp(Used + Expected - Most, 0, Expected);
}
