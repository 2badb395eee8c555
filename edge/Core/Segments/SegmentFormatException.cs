namespace Foretier.Core.Segments;

/// <summary>Bytes that are not a segment (or a rollup block) this program can read; the message says why.</summary>
public sealed class SegmentFormatException(string message) : Exception(message);
