using System.IO.Compression;
using System.Text;
using Foretier.Core.Query;
using Foretier.Predict.Volume;

namespace Foretier.Predict.Access;

public sealed partial class AccessLog
{
    /// <summary>1 had no shapes, and counts of thirty days.</summary>
    private const byte FormatVersion = 2;

    private static ReadOnlySpan<byte> Magic => "FTAL"u8;

    /// <summary>
    /// Layout: sealed payload "FTAL", deflated: since i64 · keys, then for each: series, step, shape u8, hours as <see cref="ReadHours.Save"/>
    /// writes them. Numbers are 7-bit encoded where no width is given.
    /// </summary>
    public void Save(Stream to)
    {
        using var payload = new MemoryStream();
        using (var writer = new BinaryWriter(new DeflateStream(payload, CompressionLevel.Fastest, leaveOpen: true), Encoding.UTF8))
        {
            lock (_lock)
            {
                writer.Write(_since);
                writer.Write7BitEncodedInt(_keys);
                foreach (var (series, keys) in _reads.OrderBy(r => r.Key, StringComparer.Ordinal))
                {
                    foreach (var (key, hours) in keys)
                    {
                        writer.Write(series);
                        writer.Write7BitEncodedInt64(key.Step);
                        writer.Write(key.Shape.Value);
                        hours.Save(writer);
                    }
                }
            }
        }
        SealedPayload.Write(to, Magic, FormatVersion, payload.GetBuffer().AsSpan(0, (int)payload.Length));
    }

    /// <exception cref="InvalidDataException">The bytes are not an access log, or are damaged; the message says in what way.</exception>
    public static AccessLog Load(Stream from, int keysMax = KeysMaxDefault, long bytesMax = BytesMaxDefault)
    {
        var payload = SealedPayload.Read(from, Magic, FormatVersion, out var version);
        using var reader = new BinaryReader(new DeflateStream(payload, CompressionMode.Decompress), Encoding.UTF8);
        try
        {
            var log = new AccessLog(keysMax, bytesMax) { _since = reader.ReadInt64() };
            for (var left = reader.Read7BitEncodedInt(); left > 0; left--)
            {
                var series = reader.ReadString();
                var step = reader.Read7BitEncodedInt64();
                var shape = version == 1 ? ReadShape.Unknown : new(reader.ReadByte());
                log.Put(series, new(step, shape), version == 1 ? ReadHours.Of(HourCounts.Load(reader)) : ReadHours.Load(reader));
            }
            return log;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException)
        {
            throw new InvalidDataException("the content ends early or does not follow its layout", e);
        }
    }

    private void Put(string series, ReadKey key, ReadHours hours)
    {
        if (!_reads.TryGetValue(series, out var keys))
        {
            _reads[series] = keys = new(1);
        }
        if (!keys.TryAdd(key, hours))
        {
            throw new InvalidDataException($"{series} is there twice");
        }
        _keys++;
        _bytes += KeyBytes + hours.Bytes;
    }
}
