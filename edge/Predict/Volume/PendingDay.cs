using Foretier.Core.Samples;

namespace Foretier.Predict.Volume;

/// <summary>
/// One forecast of 24 hours that a series is waiting to learn from. What the experts said is kept in 16-bit floats (three digits, and whole
/// numbers up to 2,048 exactly), of a power of two where counts are large.
/// </summary>
internal sealed class PendingDay
{
    private const int Hours = ExpertBands.DayHours;
    private const int Values = ExpertBands.Experts * Hedge.Levels * Hours;

    /// <summary>As far back as any forecaster's history reaches, less the 25 hours that a forecast waits, and some late ones.</summary>
    public const int BasisHours = SeriesVolume.HoursRead - 72;

    /// <summary>Hours after its start that an hour has closed.</summary>
    private const int ClosedAfterHours = 2;

    /// <summary>So many samples may come late without being taken for an import.</summary>
    private const int ImportedMin = 100;

    private readonly Half[] _said = new Half[Values];
    private readonly Band[] _mixed = new Band[Hours];
    private float _unit = 1;

    private PendingDay(long origin) => Origin = origin;

    /// <summary>The first hour forecast, in hours since 1970.</summary>
    public long Origin { get; }

    /// <summary>Hours learned from, or passed over.</summary>
    public int Learned { get; private set; }

    public bool IsOver => Learned == Hours;

    public bool HasModel { get; private set; }

    /// <summary>Hours that were known of the series when this was said.</summary>
    public int KnownHours { get; private set; }

    /// <summary>Samples that were known, when this was said, of the <see cref="BasisHours"/> before it.</summary>
    public long Basis { get; private set; }

    public static PendingDay Of(long origin, int knownHours, long basis, ExpertBands bands, ReadOnlySpan<Band> mixed)
    {
        var pending = new PendingDay(origin) { HasModel = bands.HasModel, KnownHours = knownHours, Basis = basis };
        mixed[..Hours].CopyTo(pending._mixed);
        var largest = 0f;
        for (var expert = bands.HasModel ? 0 : 1; expert < ExpertBands.Experts; expert++)
        {
            foreach (var band in bands[(Expert)expert][..Hours])
            {
                largest = Math.Max(largest, band.P90);
            }
        }
        while (largest / pending._unit > 60_000)
        {
            pending._unit *= 2;
        }
        for (var expert = bands.HasModel ? 0 : 1; expert < ExpertBands.Experts; expert++)
        {
            for (var h = 0; h < Hours; h++)
            {
                var band = bands[(Expert)expert][h];
                pending._said[Index(expert, 0, h)] = (Half)(band.P50 / pending._unit);
                pending._said[Index(expert, 1, h)] = (Half)(band.P90 / pending._unit);
            }
        }
        return pending;
    }

    /// <summary>Samples known of the hours that <see cref="Basis"/> is of.</summary>
    /// <param name="end">The full hour after the last of <paramref name="counts"/>, in hours since 1970.</param>
    public static long BasisOf(long origin, long end, ReadOnlySpan<int> counts)
    {
        long sum = 0;
        var to = counts.Length - (end - origin);
        for (var i = Math.Max(0, to - BasisHours); i < Math.Min(to, counts.Length); i++)
        {
            sum += Math.Max(0, counts[(int)i]);
        }
        return sum;
    }

    /// <summary>
    /// Whether it teaches nothing of what would be said now: the clock was ahead when it was said, or the past has been imported since.
    /// </summary>
    public bool IsOvertaken(in HourlyHistory history)
    {
        var end = history.End / Instant.Hour;
        return Origin > end + Hours || BasisOf(Origin, end, history.Counts) > Basis + Basis / 4 + ImportedMin;
    }

    /// <summary>Passes over the next hour that has closed; false where none has.</summary>
    /// <param name="hour">Which of its hours.</param>
    /// <param name="count">Samples that came in it; −1: nobody was counting.</param>
    public bool TryClose(in HourlyHistory history, out int hour, out int count)
    {
        var end = history.End / Instant.Hour;
        (hour, count) = (Learned, -1);
        if (IsOver || Origin + Learned + ClosedAfterHours > end)
        {
            return false;
        }
        var at = history.Counts.Length - (end - Origin - Learned);
        count = at < 0 ? -1 : history.Counts[(int)at];
        Learned++;
        return true;
    }

    public Band Mixed(int hour) => _mixed[hour];

    /// <summary>What each expert said of an hour at a level, NaN where nothing.</summary>
    public void Said(int level, int hour, Span<float> into)
    {
        for (var expert = 0; expert < into.Length; expert++)
        {
            into[expert] = expert == (int)Expert.Model && !HasModel ? float.NaN : Said(expert, level, hour);
        }
    }

    public ClosedHour Close(int hour, int count)
    {
        Band Of(Expert expert) => new(0, Said((int)expert, 0, hour), Said((int)expert, 1, hour));
        return new(Origin + hour, hour + 1, count, _mixed[hour], Of(Expert.SN24), Of(Expert.SN168), Of(Expert.HoW4), HasModel ? Of(Expert.Model) : null);
    }

    public void Save(BinaryWriter writer)
    {
        writer.Write7BitEncodedInt64(Origin);
        writer.Write((byte)Learned);
        writer.Write(HasModel);
        writer.Write7BitEncodedInt(KnownHours);
        writer.Write7BitEncodedInt64(Basis);
        writer.Write(_unit);
        foreach (var value in _said)
        {
            writer.Write(value);
        }
        foreach (var band in _mixed)
        {
            writer.Write(band.P10);
            writer.Write(band.P50);
            writer.Write(band.P90);
        }
    }

    public static PendingDay Load(BinaryReader reader)
    {
        var pending = new PendingDay(reader.Read7BitEncodedInt64())
        {
            Learned = reader.ReadByte(),
            HasModel = reader.ReadBoolean(),
            KnownHours = reader.Read7BitEncodedInt(),
            Basis = reader.Read7BitEncodedInt64(),
            _unit = reader.ReadSingle(),
        };
        foreach (ref var value in pending._said.AsSpan())
        {
            value = reader.ReadHalf();
        }
        foreach (ref var band in pending._mixed.AsSpan())
        {
            band = new(reader.ReadSingle(), reader.ReadSingle(), reader.ReadSingle());
        }
        return pending.Learned <= Hours && pending._unit >= 1 && pending.Origin >= 0 ? pending : throw new InvalidDataException("a forecast is out of its bounds");
    }

    private float Said(int expert, int level, int hour) => (float)_said[Index(expert, level, hour)] * _unit;

    private static int Index(int expert, int level, int hour) => (expert * Hedge.Levels + level) * Hours + hour;
}
