namespace Foretier.Predict.Models;

/// <summary>What a frame between a host and its inference child says.</summary>
internal enum ChildMessage : byte
{
    /// <summary>Host: load the model in this folder. Content: its path, UTF-8.</summary>
    Open = 1,

    /// <summary>Child: loaded. Content: digest of the model, hexadecimal.</summary>
    Ready = 2,

    /// <summary>Host: answer this batch. Content: tensors.</summary>
    Ask = 3,

    /// <summary>Child: the answer. Content: peak of resident memory (bytes, i64), processor time (ticks of 100 ns, i64), one tensor.</summary>
    Answer = 4,

    /// <summary>Child: there is none. Content: <see cref="InferenceFailure"/> u8, why, UTF-8.</summary>
    Failed = 5,
}

/// <summary>
/// Frames over the pipes of a child process: magic "FTIN" · message u8 · length i32 · content · CRC-32C of message, length and content u32.
/// Little endian. A tensor: dimensions u8 · each i32 · floats.
/// </summary>
internal static class ChildFrame
{
    /// <summary>Far above a batch of 100 rows of any contract (0.6 MB): what claims more is garbage.</summary>
    public const int ContentBytesMax = 16 << 20;

    public const int HeaderBytes = 4 + 1 + 4;
    public const int ChecksumBytes = 4;
    public const int DimensionsMax = 8;

    public static ReadOnlySpan<byte> Magic => "FTIN"u8;
}
