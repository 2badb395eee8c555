using System.Diagnostics.Metrics;
using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <content>What the store may use of memory and device, what it uses, and what it does at a limit.</content>
public sealed partial class HotStore
{
    /// <summary>
    /// What a series takes in memory by being known, apart from samples: registry and catalog 400 B, its connection's table of topics 500 B, counts by hour
    /// 100 to 900 B, forecast and what was learned 300 to 2,500 B. As measured with 10,000 of them.
    /// </summary>
    private const int SeriesBytes = 1_500;

    private static readonly TimeSpan MarkEvery = TimeSpan.FromMinutes(1);

    /// <summary>How much less samples take in a window file than in memory, at the least.</summary>
    private const int MemoryToFile = 4;

    private readonly long _flashMax;
    private readonly Meter _meter = new("Foretier");
    private readonly FlashMeter _flash;
    private readonly WriteAllowance _flushAllowance;
    private long _meteredBytes, _usedBytes, _markedTicket, _markedAt, _readTime;

    /// <summary>True while ingest must stop reading: memory, journal or the device's budgets are used up.</summary>
    public bool IsFull => Interlocked.Read(ref _memoryBytes) >= _options.MemoryBytesMax || _journal.IsBehind || _journal.Fill >= 0.85
        || (_options.AtFlashBudget == AtFlashBudget.Wait && _flash.IsSpent) || UsedBytes + Interlocked.Read(ref _memoryBytes) / MemoryToFile >= _flashMax;

    /// <summary>True while what arrives is to be refused, and counted: the device has been written as much as it may be in a day.</summary>
    public bool IsShedding => _options.AtFlashBudget == AtFlashBudget.Refuse && _flash.IsSpent;

    /// <summary>Series there may be; a message that would begin another one is refused.</summary>
    public int SeriesMax => _options.SeriesMax;

    /// <summary>Bytes of journal and window files on the device.</summary>
    public long UsedBytes => Interlocked.Read(ref _usedBytes);

    public FlashWear Wear => new(UsedBytes, _flashMax, _flash.LastDay, _flash.Budget, _flash.Total, _options.FlashEnduranceBytes);

    /// <summary>What an operator should know; empty while all is well.</summary>
    public IEnumerable<string> Problems
    {
        get
        {
            if (_journal.Failure is { } failure)
            {
                yield return failure.Message;
            }
            if (_book.Status.Problem is { } damage)
            {
                yield return damage;
            }
            if (_flushFailure is { } flush)
            {
                yield return flush.Message + (IsFull ? " Journal and memory are full: messages wait at their senders." : "");
            }
            if (_flash.IsNear)
            {
                yield return $"{Megabytes(_flash.LastDay)} of the {Megabytes(_flash.Budget)} that may be written to flash in 24 hours are written: "
                    + (!_flash.IsSpent ? "acknowledgements and flushes are delayed to save writes"
                        : IsShedding ? "messages are refused as flash_budget until it is less" : "messages wait at their senders until it is less")
                    + ". Send fewer or larger messages, or raise Hot:FlashBytesPerDay.";
            }
            if (_series.Count >= SeriesMax)
            {
                yield return $"{SeriesMax} series are known, as many as Hot:SeriesMax allows: messages that would begin another are refused as series_limit. "
                    + "Raise it if the memory is there, or stop what makes up ever new names.";
            }
            if (UsedBytes >= _flashMax * NearCap)
            {
                yield return $"{Megabytes(UsedBytes)} of {Megabytes(_flashMax)} of flash are used, and nothing more can be moved down"
                    + (UsedBytes >= _flashMax ? ": messages wait at their senders" : "")
                    + ". Restore the link to the gateway, raise Hot:FlashBytesMax, or set Hot:Shed to oldest.";
            }
            if (_clock is SiteClock { Doubt: { } doubt })
            {
                yield return doubt;
            }
        }
    }

    private static string Megabytes(long bytes) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{bytes / 1e6:N0} MB");

    private TimeSpan Elapsed => _clock.GetElapsedTime(0);

    private void Measure()
    {
        _meter.CreateObservableCounter("foretier.flash.written", () => _flash.Total, "By", "Bytes the device was made to write, in whole pages.");
        _meter.CreateObservableGauge("foretier.flash.written_24h", () => _flash.LastDay, "By", "The same in the last 24 hours.");
        _meter.CreateObservableGauge("foretier.flash.budget_24h", () => _flash.Budget, "By", "What may be written in 24 hours; 0: no limit.");
        _meter.CreateObservableGauge("foretier.flash.life_years", () => Wear.LifeYears is { } years ? (Measurement<double>[])[new(years)] : [], "a", "What is left of the device's endurance, at the rate of the last 24 hours.");
        _meter.CreateObservableGauge("foretier.flash.used", () => UsedBytes, "By", "Journal and window files on the device.");
        _meter.CreateObservableGauge("foretier.flash.reserved", () => ReservedBytes, "By", "Set aside for windows that are open or to come, and not used yet.");
        _meter.CreateObservableGauge("foretier.flash.used_max", () => _flashMax, "By", "What they may take.");
        _meter.CreateObservableGauge("foretier.hot.memory", () => Interlocked.Read(ref _memoryBytes), "By", "Samples not yet in window files.");
        _meter.CreateObservableGauge("foretier.hot.series", () => _series.Count, "{series}", "Series known.");
        _meter.CreateObservableGauge("foretier.hot.series_max", () => SeriesMax, "{series}", "Series there may be.");
        _meter.CreateObservableGauge("foretier.hot.series_memory", () => (long)_series.Count * SeriesBytes, "By", "What knowing them takes in memory, by estimate.");
        _meter.CreateObservableGauge("foretier.hot.journal_fill", () => _journal.Fill, "1", "Share of the journal's ring in use.");
        _meter.CreateObservableGauge("foretier.hot.full", () => IsFull ? 1 : 0, "1", "1 while messages have to wait at their senders.");
    }

    /// <summary>Counts what was written since the last look, and what lies there.</summary>
    private void CountFlash()
    {
        var written = _disk.Use.DeviceBytes;
        var now = Instant.Now(_clock);
        _flash.Add(written - _meteredBytes, now);
        _meteredBytes = written;
        _journal.IsThrifty = _flash.IsNear;
        lock (_gate)
        {
            Interlocked.Exchange(ref _usedBytes, _journal.FileBytes + _windows.Values.Sum(state => state.FileBytes));
            Interlocked.Exchange(ref _reservedBytes, CountReserved());
        }
    }

    /// <summary>
    /// Notes time and writes in the journal, beside what is written anyway: an idle edge writes nothing. After a crash they go on from here.
    /// </summary>
    private void Mark()
    {
        lock (_gate)
        {
            if (_journal.Last.Ticket == _markedTicket || (_markedTicket > 0 && _clock.GetElapsedTime(_markedAt) < MarkEvery))
            {
                return;
            }
            var record = Record(RecordKind.Mark);
            RecordWriter.WriteSigned(record, Instant.Now(_clock));
            _flash.Write(record);
            try
            {
                (_markedTicket, _) = _journal.Append(record.WrittenSpan);
            }
            catch (HotStoreUnavailableException)
            {
                return; // noted when there is something to be written beside it again
            }
            _markedAt = _clock.GetTimestamp();
        }
    }
}
