using System.IO.Compression;
using System.Text;
using Foretier.Predict.Volume;

namespace Foretier.Predict.Score;

/// <summary>How large a series is, by its mean over the coming day.</summary>
public enum VolumeClass : byte
{
    Below1,
    Below10,
    Below100,
    From100,
}

/// <summary>How far ahead an hour was forecast.</summary>
public enum Distance : byte
{
    Hour1,
    Hours2To6,
    Hours7To24,
}

/// <summary>What a line of the scorecard is about.</summary>
/// <param name="Kind">gauge, counter, state or event.</param>
public readonly record struct ScoreClass(string Kind, VolumeClass Volume, Distance Distance);

/// <summary>
/// Every forecast that was learned from, held against what came, by UTC day, class of series and distance; kept 90 days. At most
/// 90 · 4 kinds · 4 sizes · 3 distances sums of 300 bytes: 1.3 MB, however many series there are. Not thread-safe.
/// </summary>
public sealed class Scorecard
{
    public const int DaysKept = 90;

    private const byte FormatVersion = 1;
    private const int HoursOfDay = 24;
    private static readonly string[] _kinds = ["gauge", "counter", "state", "event"];
    private readonly SortedDictionary<int, Dictionary<ScoreClass, ScoreSums>> _days = [];
    private static ReadOnlySpan<byte> Magic => "FTSC"u8;

    /// <summary>Kinds there are; another counts as a gauge.</summary>
    public static IReadOnlyList<string> Kinds => _kinds;

    /// <param name="mean">Samples an hour that the series is expected to have.</param>
    public void Add(string kind, double mean, in ClosedHour hour)
    {
        var day = (int)(hour.Hour / HoursOfDay);
        if (!_days.TryGetValue(day, out var classes))
        {
            _days[day] = classes = [];
            // An hour of a clock that was ahead may be the newest for long: days are dropped by their number.
            while (_days.Count > DaysKept)
            {
                _days.Remove(_days.Keys.First());
            }
        }
        var size = mean < 1 ? VolumeClass.Below1 : mean < 10 ? VolumeClass.Below10 : mean < 100 ? VolumeClass.Below100 : VolumeClass.From100;
        var distance = hour.Horizon <= 1 ? Distance.Hour1 : hour.Horizon <= 6 ? Distance.Hours2To6 : Distance.Hours7To24;
        var of = new ScoreClass(_kinds.Contains(kind) ? kind : _kinds[0], size, distance);
        if (!classes.TryGetValue(of, out var sums))
        {
            classes[of] = sums = new();
        }
        sums.Add(hour);
    }

    /// <summary>Forgets what lies more than 90 days back, or ahead.</summary>
    /// <param name="hour">Now, in hours since 1970.</param>
    public void Trim(long hour)
    {
        var today = (int)(hour / HoursOfDay);
        foreach (var day in _days.Keys.Where(day => day <= today - DaysKept || day > today + 2).ToList())
        {
            _days.Remove(day);
        }
    }

    /// <summary>Sums by class over the last days.</summary>
    /// <param name="hour">Now, in hours since 1970.</param>
    /// <param name="days">1 to 90.</param>
    public IReadOnlyDictionary<ScoreClass, ScoreSums> Sum(long hour, int days)
    {
        var sums = new Dictionary<ScoreClass, ScoreSums>();
        foreach (var (_, classes) in _days.Where(day => day.Key > hour / HoursOfDay - days))
        {
            foreach (var (of, part) in classes)
            {
                if (!sums.TryGetValue(of, out var sum))
                {
                    sums[of] = sum = new();
                }
                sum.Add(part);
            }
        }
        return sums;
    }

    /// <summary>Layout: sealed payload "FTSC", deflated: days (count, then each: number, classes (count, then each: kind u8, size u8, distance u8, sums)).</summary>
    public void Save(Stream to)
    {
        using var payload = new MemoryStream();
        using (var writer = new BinaryWriter(new DeflateStream(payload, CompressionLevel.Fastest, leaveOpen: true), Encoding.UTF8))
        {
            writer.Write7BitEncodedInt(_days.Count);
            foreach (var (day, classes) in _days)
            {
                writer.Write7BitEncodedInt(day);
                writer.Write7BitEncodedInt(classes.Count);
                foreach (var (of, sums) in classes.OrderBy(c => (c.Key.Kind, c.Key.Volume, c.Key.Distance)))
                {
                    writer.Write((byte)Array.IndexOf(_kinds, of.Kind));
                    writer.Write((byte)of.Volume);
                    writer.Write((byte)of.Distance);
                    sums.Save(writer);
                }
            }
        }
        SealedPayload.Write(to, Magic, FormatVersion, payload.GetBuffer().AsSpan(0, (int)payload.Length));
    }

    /// <exception cref="InvalidDataException">The bytes are no scorecard, or are damaged; the message says in what way.</exception>
    public static Scorecard Load(Stream from)
    {
        var payload = SealedPayload.Read(from, Magic, FormatVersion, out _);
        using var reader = new BinaryReader(new DeflateStream(payload, CompressionMode.Decompress), Encoding.UTF8);
        try
        {
            var card = new Scorecard();
            for (var days = reader.Read7BitEncodedInt(); days > 0; days--)
            {
                var classes = card._days[reader.Read7BitEncodedInt()] = [];
                for (var left = reader.Read7BitEncodedInt(); left > 0; left--)
                {
                    var (kind, size, distance) = (reader.ReadByte(), (VolumeClass)reader.ReadByte(), (Distance)reader.ReadByte());
                    if (kind >= _kinds.Length || size > VolumeClass.From100 || distance > Distance.Hours7To24)
                    {
                        throw new InvalidDataException("a class is none");
                    }
                    classes[new(_kinds[kind], size, distance)] = ScoreSums.Load(reader);
                }
            }
            return card;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException)
        {
            throw new InvalidDataException("the content ends early or does not follow its layout", e);
        }
    }
}
