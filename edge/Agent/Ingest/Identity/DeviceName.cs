using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// Who speaks: <c>account/device</c>, or <c>account/*</c>, a concentrator, which speaks for every device of its account.
/// It is the user name of a connection; the client id is free.
/// </summary>
public sealed record DeviceName(string Account, string Device)
{
    public const string AnyDevice = "*";

    public bool IsConcentrator => Device == AnyDevice;

    public override string ToString() => $"{Account}/{Device}";

    public static bool TryParse(string? text, out DeviceName? name)
    {
        name = null;
        var slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (slash < 0)
        {
            return false;
        }
        var (account, device) = (text![..slash], text[(slash + 1)..]);
        if (!SeriesKey.IsValidPart(account) || (device != AnyDevice && !SeriesKey.IsValidPart(device)))
        {
            return false;
        }
        name = new(account, device);
        return true;
    }
}
