namespace Foretier.Agent.Hot;

/// <summary>
/// What LiteDB's two streams share: 8 KB pages at positions, and a failure that sticks. LiteDB swallows write errors in its queue, and after
/// one nothing it writes can be trusted, so every later call fails too.
/// </summary>
internal abstract class PageStream : Stream
{
    public const int PageBytes = 8192;

    private volatile Exception? _failure;

    public Exception? Failure => _failure;

    /// <summary>What was found damaged; null while all is well.</summary>
    public string? Damage { get; private set; }

    /// <summary>Bytes on the device.</summary>
    public abstract long FileBytes { get; }
    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => true;
    public override long Position { get; set; }

    public override long Seek(long offset, SeekOrigin origin) =>
        Position = offset + (origin == SeekOrigin.Begin ? 0 : origin == SeekOrigin.Current ? Position : Length);

    /// <summary>Makes all later calls fail.</summary>
    public void Poison(Exception reason)
    {
        _failure ??= reason;
        Failed();
    }

    protected virtual void Failed()
    {
    }

    /// <exception cref="InvalidDataException">Always.</exception>
    protected void FailDamaged(string what)
    {
        Damage = what;
        var damaged = new InvalidDataException(what);
        Poison(damaged);
        throw damaged;
    }

    protected void Guard(Action write)
    {
        ThrowIfFailed();
        try
        {
            write();
        }
        catch (Exception e)
        {
            Poison(e);
            throw;
        }
    }

    protected void ThrowIfFailed()
    {
        if (_failure is not null)
        {
            throw new IOException($"the window file failed before: {_failure.Message}", _failure);
        }
    }
}
