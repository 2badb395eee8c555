using System.Buffers;
using System.Runtime.InteropServices;
using Foretier.Client.Mqtt;

namespace Foretier.Cli.Import;

/// <summary>What came of an import.</summary>
/// <param name="Rows">In the file, header apart.</param>
/// <param name="Published">Readings sent, now or in an earlier run of the same import.</param>
/// <param name="Bad">Rows that are no readings.</param>
/// <param name="ResumedAt">The row from which this run went on.</param>
internal sealed record ImportResult(
    string File, long Rows, long Published, long Acknowledged, long Refused, IReadOnlyDictionary<string, long> RefusedBy, long Bad, long ResumedAt, double Seconds)
{
    public bool IsComplete => Acknowledged == Rows;
}

/// <summary>
/// Publishes the rows of a file in order and remembers how far all of them are acknowledged. Killed at any moment, the next run goes on
/// there: some readings are then sent twice, which changes nothing, for they carry their times.
/// </summary>
internal sealed class Importer(CsvRows rows, ReadingColumns columns, Bookmark bookmark, string file, int batch, TimeProvider clock, Action<string> note)
{
    /// <summary>Rows that are gathered, at most, to fill messages of <c>batch</c> readings of one series.</summary>
    private const int BatchesGathered = 64;
    private const int NotedMax = 10;

    /// <summary>Messages by number, from the oldest that is not acknowledged on.</summary>
    private readonly Dictionary<long, Message> _inFlight = [];
    private readonly ArrayBufferWriter<byte> _payload = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _refusedBy = [];
    private long _oldest;
    private long _next;
    private long _row;
    private long _acknowledged;
    private long _refused;
    private long _acknowledgedNow;
    private long _noted;

    /// <param name="RowsDone">All rows up to this one are done with this message and those before it; 0 = others of its batch follow.</param>
    private sealed record Message(long RowsDone, long Line, int Readings)
    {
        public MqttAck? Ack { get; set; }
    }

    /// <summary>Acknowledged in this run.</summary>
    public long AcknowledgedNow => Interlocked.Read(ref _acknowledgedNow);

    /// <summary>Where in the file this run began, 0..1.</summary>
    public double StartFraction { get; private set; }

    /// <summary>What <see cref="MqttPublisherGroup"/> tells. Counted is what is acknowledged without a gap, for there the next run goes on.</summary>
    public void Acknowledged(MqttAck ack)
    {
        lock (_lock)
        {
            _inFlight[ack.Tag].Ack = ack;
            for (; _inFlight.TryGetValue(_oldest, out var message) && message.Ack is { } done; _inFlight.Remove(_oldest++))
            {
                Count(message, done);
            }
        }
    }

    public async Task<ImportResult> RunAsync(MqttPublisherGroup publisher, CancellationToken cancel)
    {
        var started = clock.GetTimestamp();
        var resumedAt = Resume();
        long row = 0, bad = 0;
        var gathered = new List<(Reading Reading, long Line)>();
        var one = new (Reading Reading, long Line)[1];
        while (rows.Read() is { } fields)
        {
            row++;
            var good = columns.TryRead(fields, out var reading, out var why);
            bad += good ? 0 : 1;
            if (row <= resumedAt)
            {
                StartFraction = rows.Fraction;
                continue;
            }
            if (!good)
            {
                lock (_lock)
                {
                    Note($"line {rows.Line}: {why}");
                }
                continue;
            }
            if (batch == 1)
            {
                one[0] = (reading, rows.Line);
                await PublishAsync(publisher, one, row, cancel).ConfigureAwait(false);
                continue;
            }
            gathered.Add((reading, rows.Line));
            if (gathered.Count >= batch * BatchesGathered)
            {
                await PublishAllAsync(publisher, gathered, row, cancel).ConfigureAwait(false);
            }
        }
        await PublishAllAsync(publisher, gathered, row, cancel).ConfigureAwait(false);
        await publisher.DrainAsync(cancel).ConfigureAwait(false);
        lock (_lock)
        {
            return new(file, row, row - bad, _acknowledged, _refused, _refusedBy, bad, resumedAt, clock.GetElapsedTime(started).TotalSeconds);
        }
    }

    /// <summary>Writes down how far it is. Losing the latest of it only means that some rows are sent again.</summary>
    public void Save()
    {
        Progress progress;
        lock (_lock)
        {
            progress = new(file, _row, _acknowledged, _refused, new Dictionary<string, long>(_refusedBy));
        }
        if (progress.Row > 0)
        {
            bookmark.Write(progress);
        }
    }

    private long Resume()
    {
        if (bookmark.Read() is not { Row: > 0 } progress)
        {
            return 0;
        }
        (_row, _acknowledged, _refused) = (progress.Row, progress.Acknowledged, progress.Refused);
        foreach (var (reason, count) in progress.RefusedBy)
        {
            _refusedBy[reason] = count;
        }
        note($"going on after row {progress.Row}, where an earlier run stopped");
        return progress.Row;
    }

    /// <summary>Sends what was gathered: in order within a series, for at equal times the later row wins, as it does in the file.</summary>
    private async ValueTask PublishAllAsync(MqttPublisherGroup publisher, List<(Reading Reading, long Line)> gathered, long row, CancellationToken cancel)
    {
        var messages = gathered.GroupBy(g => g.Reading.Topic).SelectMany(series => series.Chunk(batch)).ToList();
        for (var i = 0; i < messages.Count; i++)
        {
            await PublishAsync(publisher, messages[i], i == messages.Count - 1 ? row : 0, cancel).ConfigureAwait(false);
        }
        gathered.Clear();
    }

    private ValueTask PublishAsync(MqttPublisherGroup publisher, ReadOnlyMemory<(Reading Reading, long Line)> readings, long rowsDone, CancellationToken cancel)
    {
        var (first, line) = readings.Span[0];
        _payload.ResetWrittenCount();
        if (readings.Length == 1)
        {
            ReadingPayload.Write(_payload, first.Value, first.Time, null);
        }
        else
        {
            ReadingPayload.WritePairs(_payload, Array.ConvertAll(readings.ToArray(), r => (r.Reading.Time, r.Reading.Value)));
        }
        long number;
        lock (_lock)
        {
            number = _next++;
            _inFlight.Add(number, new(rowsDone, line, readings.Length));
        }
        return publisher.PublishAsync(first.Lane, first.Topic, _payload.WrittenMemory, number, cancel);
    }

    private void Count(Message message, MqttAck ack)
    {
        if (ack.IsRefused)
        {
            var reason = MqttReason.Describe(ack.Reason, ack.Text);
            CollectionsMarshal.GetValueRefOrAddDefault(_refusedBy, reason, out _) += message.Readings;
            _refused += message.Readings;
            Note($"line {message.Line}: refused, {reason}");
        }
        else
        {
            _acknowledged += message.Readings;
            _acknowledgedNow += message.Readings;
        }
        _row = message.RowsDone > 0 ? message.RowsDone : _row;
    }

    /// <summary>The first few in words, the rest as counts.</summary>
    private void Note(string what)
    {
        if (_noted < NotedMax)
        {
            note(what);
        }
        else if (_noted == NotedMax)
        {
            note("more of this is only counted");
        }
        _noted++;
    }
}
