using System.Runtime.InteropServices;

namespace Foretier.Node.Hosting;

/// <summary>
/// Gives back to the system what taking in very much took. When a fleet dials in at once, its catalogs and maps leave a heap several times as large as what is kept
/// of them, and left to itself it stays so for hours where little is asked: a collection that looks at all of it comes when as much again has been kept.
/// </summary>
/// <param name="clock">Of the machine: it is about this process.</param>
public sealed partial class Intake(TimeProvider clock, Action giveBack)
{
    /// <summary>Series, entries and members whose documents leave some tens of megabytes: that is given back at once, and what is left of them when it is over.</summary>
    private const long ItemsMin = 50_000;

    /// <summary>It is over when fewer than these came within <see cref="Patience"/>; at the latest after fifteen times that.</summary>
    private const long Few = 10_000;

    private const int RoundsMax = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private long _items;
    private int _isWaiting;

    public static Intake OfThisProcess { get; } = new(TimeProvider.System, GiveBack);

    /// <summary>So many series, entries and members were read from documents. Thread-safe.</summary>
    public void Took(long items)
    {
        var all = Interlocked.Add(ref _items, items);
        if (all / ItemsMin == (all - items) / ItemsMin)
        {
            return;
        }
        giveBack();
        if (Interlocked.Exchange(ref _isWaiting, 1) == 0)
        {
            _ = GiveBackSoonAsync();
        }
    }

    /// <summary>Gives back at once, and stops this process for some hundred milliseconds.</summary>
    public static void GiveBack()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        if (OperatingSystem.IsLinux())
        {
            try
            {
                // What packing took on many threads, the C library keeps for each of them.
                _ = Native.malloc_trim(0);
            }
            catch (EntryPointNotFoundException)
            {
                // Another C library than GNU's.
            }
        }
    }

    private async Task GiveBackSoonAsync()
    {
        for (var (round, isOver) = (0, false); !isOver && round < RoundsMax; round++)
        {
            var before = Interlocked.Read(ref _items);
            await Task.Delay(Patience, clock).ConfigureAwait(false);
            isOver = Interlocked.Read(ref _items) - before < Few;
        }
        Interlocked.Exchange(ref _items, 0);
        Volatile.Write(ref _isWaiting, 0);
        giveBack();
    }

    private static partial class Native
    {
        [LibraryImport("libc")]
        internal static partial int malloc_trim(nuint pad);
    }
}
