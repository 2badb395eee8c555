namespace Foretier.Archive.Stores;

/// <summary>What an S3 service is shown as proof. Never printed.</summary>
/// <param name="SessionToken">For temporary credentials; else null.</param>
public sealed record S3Credentials(string AccessKey, string SecretKey, string? SessionToken = null)
{
    /// <summary>Null where AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set.</summary>
    public static S3Credentials? FromEnvironment()
    {
        var access = Environment.GetEnvironmentVariable("AWS_ACCESS_KEY_ID");
        var secret = Environment.GetEnvironmentVariable("AWS_SECRET_ACCESS_KEY");
        var session = Environment.GetEnvironmentVariable("AWS_SESSION_TOKEN");
        return string.IsNullOrEmpty(access) || string.IsNullOrEmpty(secret)
            ? null
            : new(access, secret, string.IsNullOrEmpty(session) ? null : session);
    }

    public override string ToString() => "S3Credentials { … }";
}

/// <summary>A bucket of an S3 service and how patiently to use it.</summary>
public sealed record S3Options
{
    /// <summary>http or https, host and port.</summary>
    public required Uri Endpoint { get; init; }
    public required string Bucket { get; init; }

    /// <summary>What all keys begin with, without slashes at its ends; empty for the whole bucket.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>The name that requests are signed for.</summary>
    public string Region { get; init; } = "us-east-1";
    public required S3Credentials Credentials { get; init; }

    /// <summary>A PEM file with the authorities that may vouch for the server instead of the system's; null for the system's.</summary>
    public string? AuthorityPath { get; init; }

    /// <summary>How long one attempt may take before any byte of content is counted.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The slowest line that is still waited for, bytes/s: content adds its length over this to the time-out.</summary>
    public int BytesPerSecondMin { get; init; } = 32 << 10;

    /// <summary>Attempts at what fails transiently, the first included.</summary>
    public int Attempts { get; init; } = 4;

    /// <summary>The wait before the second attempt; it doubles with each.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Times the waits and time-outs of the network: real time, also where the product's own time is simulated.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    public override string ToString() => $"s3://{Bucket}{(Prefix.Length > 0 ? "/" + Prefix : "")} at {Endpoint.GetLeftPart(UriPartial.Authority)}";

    /// <exception cref="ArchiveException">Invalid: names what is wrong, without the location's secrets.</exception>
    public static S3Options Parse(string location, S3Credentials? credentials)
    {
        var query = location.IndexOf('?', StringComparison.Ordinal);
        var place = query < 0 ? location : location[..query];
        if (place.Contains('@', StringComparison.Ordinal))
        {
            throw Wrong("s3://…", "credentials do not belong in the location; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        }
        var path = place["s3://".Length..].Trim('/');
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var bucket = slash < 0 ? path : path[..slash];
        if (bucket.Length is < 3 or > 63 || bucket.Any(c => !(char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.')))
        {
            throw Wrong(place, "a bucket name has 3-63 characters of a-z 0-9 - .");
        }
        string region = "us-east-1", endpoint = "";
        string? authority = null;
        foreach (var pair in query < 0 ? [] : location[(query + 1)..].Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? pair : pair[..equals];
            var value = equals < 0 ? "" : Uri.UnescapeDataString(pair[(equals + 1)..]);
            switch (name)
            {
                case "endpoint":
                    endpoint = value;
                    break;
                case "region":
                    region = value;
                    break;
                case "ca":
                    authority = File.Exists(value) ? value : throw Wrong(place, $"there is no file {value} (ca)");
                    break;
                default:
                    throw Wrong(place, $"'{name}' is not known here; there are endpoint, region and ca");
            }
        }
        if (endpoint.Length == 0)
        {
            endpoint = $"https://s3.{region}.amazonaws.com";
        }
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")
            || uri.UserInfo.Length > 0 || uri.PathAndQuery != "/")
        {
            throw Wrong(place, "the endpoint is written http://host:port or https://host:port, no more");
        }
        return new()
        {
            Endpoint = uri,
            Bucket = bucket,
            Prefix = slash < 0 ? "" : path[(slash + 1)..],
            Region = region,
            AuthorityPath = authority,
            Credentials = credentials ?? throw Wrong(place, "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        };

        static ArchiveException Wrong(string place, string hint) => new(ArchiveFault.Invalid, "open", place, hint);
    }
}
