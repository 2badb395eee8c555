namespace Foretier.Agent.Ingest;

/// <summary>Why a message was refused. The code goes into the ledger, the sentence to the sender, the quarantine and the log.</summary>
/// <param name="Code">One of <see cref="RefusalCode"/>.</param>
/// <param name="Text">What is wrong and what to do about it.</param>
/// <param name="Samples">How many samples the message stood for; 1 where that cannot be told.</param>
public readonly record struct Refusal(string Code, string Text, int Samples)
{
    public bool IsNone => Code is null;
}

/// <summary>Reason codes of refused messages, as the ledger counts them.</summary>
public static class RefusalCode
{
    /// <summary>The topic is not v1/account/device/measurement or v1/account/device.</summary>
    public const string BadTopic = "bad_topic";

    /// <summary>The topic belongs to a device the sender may not publish for.</summary>
    public const string NotAuthorized = "not_authorized";

    /// <summary>The payload cannot be parsed, or has a shape nothing takes.</summary>
    public const string BadPayload = "bad_payload";

    /// <summary>A time is unreadable, before 2000-01-01 or more than a day ahead.</summary>
    public const string BadTime = "bad_time";

    /// <summary>NaN, an infinity, or a number beyond a float64.</summary>
    public const string NotANumber = "not_a_number";

    /// <summary>A state of more than 256 bytes.</summary>
    public const string StateTooLong = "state_too_long";

    /// <summary>An element of an array carries no time.</summary>
    public const string UntimedArray = "untimed_array";

    /// <summary>The time lies in a window whose samples retention or shedding has removed from this edge.</summary>
    public const string TooLate = "too_late";

    /// <summary>The device has been written as much as it may be in a day, and refusing is what was chosen for that.</summary>
    public const string FlashBudget = "flash_budget";

    /// <summary>It would begin another series, and there are as many as there may be.</summary>
    public const string SeriesLimit = "series_limit";

    /// <summary>A member of an object cannot be the name of a measurement.</summary>
    public const string BadName = "bad_name";

    /// <summary>A value comes in another unit than its series has.</summary>
    public const string UnitConflict = "unit_conflict";

    /// <summary>A Sparkplug metric's alias or data type is not known here; its births were asked for.</summary>
    public const string UnknownAlias = "unknown_alias";

    /// <summary>A table, file, list or template, which no series holds; the rest of its message was stored.</summary>
    public const string UnsupportedType = "unsupported_type";
}
