namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// Lists of topics that replace the default, which is an identity's own topics and nothing else. A pattern is an MQTT filter below
/// <c>v1/ACCOUNT/</c>: <c>+</c> stands for one level; <c>{device}</c> for the name of the device the rule is applied to.
/// </summary>
/// <param name="Publish">Null = the default; empty = nothing.</param>
/// <param name="Subscribe">Null = the default; empty = nothing.</param>
public sealed record TopicRules(IReadOnlyList<string>? Publish, IReadOnlyList<string>? Subscribe)
{
    public const int PatternsMax = 64;
    public const int PatternLengthMax = 400;

    public bool IsDefault => Publish is null && Subscribe is null;

    /// <exception cref="ArgumentException">A pattern is none, reaches beyond the account, or has a '#' where only a concentrator may have one.</exception>
    internal TopicRules Checked(string account, bool isConcentrator)
    {
        foreach (var list in new[] { Publish, Subscribe })
        {
            if (list?.Count > PatternsMax)
            {
                throw new ArgumentException($"at most {PatternsMax} patterns, these are {list.Count}");
            }
            foreach (var pattern in list ?? [])
            {
                if (WhyNot(pattern, account, isConcentrator) is { } why)
                {
                    throw new ArgumentException($"'{pattern}' is no topic rule of account {account}: {why}");
                }
            }
        }
        return this;
    }

    private static string? WhyNot(string pattern, string account, bool isConcentrator)
    {
        var levels = pattern.Split('/');
        return pattern.Length > PatternLengthMax ? $"it is longer than {PatternLengthMax} characters"
            : levels.Length is < 3 or > 4 || levels[0] != "v1" ? "write v1/ACCOUNT/DEVICE or v1/ACCOUNT/DEVICE/MEASUREMENT; + stands for one level"
            : levels[1] != account ? $"the second level must be {account}: no rule reaches into another account"
            : !isConcentrator && levels.Contains("#") ? "'#' is for concentrators; use + for each level"
            : !levels.Skip(2).Select((level, i) => (level, i)).All(l => IsLevel(l.level, l.i == levels.Length - 3)) ? "a level is a name, + or {device}, the last one # too"
            : null;
    }

    private static bool IsLevel(string level, bool isLast) =>
        level is "+" or "{device}" || (level == "#" && isLast) || Core.Samples.SeriesKey.IsValidPart(level);
}

/// <summary>What one identity may publish and subscribe to: its own rules, else its account's, else its own topics. Immutable.</summary>
public sealed class TopicRights
{
    private readonly string _account;
    private readonly string[][] _publish;
    private readonly string[][] _subscribe;

    private TopicRights(string account, IEnumerable<string> publish, IEnumerable<string> subscribe)
    {
        _account = account;
        _publish = [.. publish.Select(pattern => pattern.Split('/'))];
        _subscribe = [.. subscribe.Select(pattern => pattern.Split('/'))];
    }

    /// <param name="account">Of the account, for its devices; a concentrator has only its own.</param>
    /// <param name="own">Of the identity itself.</param>
    public static TopicRights Of(DeviceName who, TopicRules? account = null, TopicRules? own = null)
    {
        account = who.IsConcentrator ? null : account;
        string[] all = [who.IsConcentrator ? $"v1/{who.Account}/#" : $"v1/{who}/#"];
        IEnumerable<string> For(IReadOnlyList<string>? rules) => rules?.Select(r => r.Replace("{device}", who.Device, StringComparison.Ordinal)) ?? all;
        return new(who.Account, For(own?.Publish ?? account?.Publish), For(own?.Subscribe ?? account?.Subscribe));
    }

    /// <summary>Everything below the account may be published, nothing is heard.</summary>
    public static TopicRights Anonymous(string account) => new(account, [$"v1/{account}/#"], []);

    /// <param name="measurement">Null where the payload names the measurements.</param>
    public bool MayPublish(DeviceName device, string? measurement)
    {
        if (device.Account != _account)
        {
            return false;
        }
        string[] topic = measurement is null ? ["v1", device.Account, device.Device] : ["v1", device.Account, device.Device, measurement];
        return Array.Exists(_publish, rule => Covers(rule, topic));
    }

    /// <summary>
    /// The devices a filter covers, as one of them or all of the account (<c>account/*</c>); null where it may not be subscribed to.
    /// MQTTnet checks that wildcards stand where they may.
    /// </summary>
    public DeviceName? Covers(string filter)
    {
        var levels = filter.Split('/');
        if (levels.Length is < 3 or > 4 || !Array.Exists(_subscribe, rule => Covers(rule, levels)))
        {
            return null;
        }
        return levels[2] is "+" or "#" ? new(_account, DeviceName.AnyDevice)
            : DeviceName.TryParse($"{_account}/{levels[2]}", out var one) && !one!.IsConcentrator ? one
            : null;
    }

    /// <summary>True where every topic that the filter matches is matched by the rule.</summary>
    private static bool Covers(string[] rule, string[] filter)
    {
        for (var i = 0; i < rule.Length; i++)
        {
            if (rule[i] == "#")
            {
                // It stands for the level above too: v1/a/b/# covers v1/a/b.
                return true;
            }
            if (i >= filter.Length || filter[i] == "#" || (rule[i] != "+" && rule[i] != filter[i]))
            {
                return false;
            }
        }
        return rule.Length == filter.Length;
    }
}
