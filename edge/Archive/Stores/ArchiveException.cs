namespace Foretier.Archive.Stores;

/// <summary>Why the archive could not do what was asked; kinds differ only where a caller would act differently.</summary>
public enum ArchiveFault
{
    /// <summary>There is no such object.</summary>
    NotFound,

    /// <summary>The store cannot be reached or does not answer properly; it was tried again, and may work later.</summary>
    Unreachable,

    /// <summary>The credentials are missing, wrong, expired, or do not allow it.</summary>
    Denied,

    /// <summary>The store has no room.</summary>
    Full,

    /// <summary>The bytes are not those that were published.</summary>
    Damaged,

    /// <summary>The location, the bucket or the key cannot be right; trying again does not help.</summary>
    Invalid,
}

/// <summary>The one error of the archive. It never carries a credential or a signed address.</summary>
/// <param name="kind">What to do about it.</param>
/// <param name="operation">put, get, stat, list, delete, open, verify or read.</param>
/// <param name="key">The object, or the location where no object is meant.</param>
/// <param name="hint">What is wrong and what helps.</param>
public sealed class ArchiveException(ArchiveFault kind, string operation, string key, string hint, Exception? inner = null)
    : Exception($"archive {operation} of '{key}': {hint}", inner)
{
    public ArchiveFault Kind { get; } = kind;
    public string Operation { get; } = operation;
    public string Key { get; } = key;
    public string Hint { get; } = hint;
}
