using System.Buffers;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>Composes a name of parts that may hold anything: what no name may have is percent-encoded. Lives on the caller's stack.</summary>
/// <param name="into">As long as the longest name; past its end the name <see cref="IsTooLong"/>.</param>
internal ref struct NameText(Span<byte> into)
{
    /// <summary>Enough for "device/measurement"; each part is judged when the reading is taken.</summary>
    public const int BytesMax = 2 * SeriesKey.PartLengthMax + 1;

    private static readonly SearchValues<byte> Plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@-"u8);

    private readonly Span<byte> _into = into;

    public int Length { get; private set; }
    public bool IsTooLong { get; private set; }
    public readonly ReadOnlySpan<byte> Bytes => _into[..Length];

    public void CutTo(int length) => (Length, IsTooLong) = (length, false);

    /// <summary>Appends what is known to be allowed.</summary>
    public void Append(scoped ReadOnlySpan<byte> plain)
    {
        if (plain.Length > _into.Length - Length)
        {
            IsTooLong = true;
            return;
        }
        plain.CopyTo(_into[Length..]);
        Length += plain.Length;
    }

    /// <summary>Appends anything, encoded where needed.</summary>
    /// <param name="reserved">Characters that separate parts here, and so are encoded within one.</param>
    /// <param name="escaped">Characters before which a backslash only escapes, and is left out.</param>
    public void Encode(scoped ReadOnlySpan<byte> text, scoped ReadOnlySpan<byte> reserved = default, scoped ReadOnlySpan<byte> escaped = default)
    {
        for (var i = 0; i < text.Length && !IsTooLong; i++)
        {
            var b = text[i];
            if (b == '\\' && i + 1 < text.Length && escaped.Contains(text[i + 1]))
            {
                b = text[++i];
            }
            if (Plain.Contains(b) && !reserved.Contains(b))
            {
                Append([b]);
            }
            else
            {
                Append([(byte)'%', Hex(b >> 4), Hex(b & 15)]);
            }
        }
    }

    private static byte Hex(int digit) => (byte)(digit < 10 ? '0' + digit : 'A' + digit - 10);
}
