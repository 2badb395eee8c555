using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    /// <summary>
    /// Declares kind and unit of a series, against what its payloads tell. Durable when the returned ticket is. What is not yet shipped
    /// carries it down; the catalog carries it up.
    /// </summary>
    /// <param name="unit">Null = as it is; empty = none.</param>
    /// <param name="kind">Null = as it is.</param>
    /// <returns>Null where the series is not known here.</returns>
    /// <exception cref="HotStoreUnavailableException">The journal has failed.</exception>
    public (string? Unit, string Kind, long Ticket)? Declare(SeriesKey series, string? unit, string? kind)
    {
        lock (_gate)
        {
            if (_series.Find(series.ToString()) is not { } known)
            {
                return null;
            }
            var entry = known with { Unit = unit is null ? known.Unit : unit.Length == 0 ? null : unit, Kind = kind ?? known.Kind };
            var ticket = DurableTicket;
            if (entry != known)
            {
                ticket = Journalise(entry);
                Define(entry);
            }
            return (entry.Unit, entry.Kind, ticket);
        }
    }

    private long Journalise(SeriesEntry entry)
    {
        var record = Record(RecordKind.SeriesDefined);
        RecordWriter.WriteVarint(record, (ulong)entry.Id);
        RecordWriter.WriteText(record, entry.Name);
        RecordWriter.WriteText(record, entry.Unit ?? "");
        RecordWriter.WriteText(record, entry.Kind);
        return _journal.Append(record.WrittenSpan).Ticket;
    }
}
