using System.Buffers;
using System.IO.Compression;
using System.Text.Json;

namespace Foretier.Node.Hosting;

/// <summary>Documents that are mostly names, as JSON in Brotli: a list of a thousand names is mostly repetition.</summary>
public static class PackedJson
{
    /// <summary>Says that a body is one.</summary>
    public const string MediaType = "application/vnd.foretier.json+br";

    /// <summary>What no document of names needs, and a damaged one might ask for.</summary>
    private const int DocumentBytesMax = 64 << 20;

    /// <summary>Between 4 and 9 a list of names differs by a few percent in size, and by ten times in processor time.</summary>
    private const int Quality = 5;

    /// <summary>256 KB to look back in are enough for a document of this size: the usual 4 MB would be asked of the system for each.</summary>
    private const int WindowBits = 18;

    public static byte[] Pack<T>(T document)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(document, NodeJson.Options);
        var packed = ArrayPool<byte>.Shared.Rent(BrotliEncoder.GetMaxCompressedLength(json.Length));
        try
        {
            return BrotliEncoder.TryCompress(json, packed, out var length, Quality, WindowBits) ? packed[..length] : throw new InvalidOperationException("more than the longest that it can be");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(packed);
        }
    }

    /// <summary>A body, packed or not: who knows of no packed ones answers as it did before there were any.</summary>
    /// <exception cref="InvalidDataException">It is said to be packed and is not, or is longer than 64 MB.</exception>
    /// <exception cref="JsonException">It is another document.</exception>
    public static async Task<T> ReadAsync<T>(HttpContent body, JsonSerializerOptions options, CancellationToken cancel)
    {
        var bytes = await body.ReadAsByteArrayAsync(cancel).ConfigureAwait(false);
        return body.Headers.ContentType?.MediaType == MediaType ? Unpack<T>(bytes, options) : JsonSerializer.Deserialize<T>(bytes, options) ?? throw new JsonException("null");
    }

    /// <exception cref="InvalidDataException">It is not packed, or longer than 64 MB.</exception>
    /// <exception cref="JsonException">It is another document.</exception>
    public static T Unpack<T>(ReadOnlySpan<byte> packed, JsonSerializerOptions options)
    {
        var json = ArrayPool<byte>.Shared.Rent(Math.Max(4 << 10, packed.Length * 32));
        using var brotli = new BrotliDecoder();
        try
        {
            for (var length = 0; ;)
            {
                var status = brotli.Decompress(packed, json.AsSpan(length), out var consumed, out var written);
                packed = packed[consumed..];
                length += written;
                switch (status)
                {
                    case OperationStatus.Done:
                        return JsonSerializer.Deserialize<T>(json.AsSpan(0, length), options) ?? throw new JsonException("null");
                    case OperationStatus.DestinationTooSmall when length < DocumentBytesMax:
                        var longer = ArrayPool<byte>.Shared.Rent(json.Length * 2);
                        json.AsSpan(0, length).CopyTo(longer);
                        ArrayPool<byte>.Shared.Return(json);
                        json = longer;
                        break;
                    default:
                        throw new InvalidDataException("not packed as names are");
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(json);
        }
    }
}
