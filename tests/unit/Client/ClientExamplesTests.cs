using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Foretier.Client;
using Foretier.Protocol.Api;

namespace Foretier.Tests.Unit.Client;

/// <summary>The examples of cloud/Client/README.md: compiled here, and the page has to have them letter by letter.</summary>
public partial class ClientExamplesTests
{
    [Fact]
    public void The_page_shows_what_is_compiled_here()
    {
        var here = Plain(File.ReadAllText(ThisFile()));
        var blocks = CodeBlock().Matches(File.ReadAllText(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../../cloud/Client/README.md")));
        Assert.NotEmpty(blocks);
        Assert.All(blocks, block => Assert.Contains(Plain(block.Groups[1].Value), here, StringComparison.Ordinal));
    }

    internal static async Task AskAsync(string apiKey)
    {
        using var foretier = new ForetierClient(new Uri("http://127.0.0.1:8080"), apiKey);
        var reply = await foretier.QueryAsync(new() { Series = "acme/*/temperature", From = "-6h", Step = "1h", Fn = "avg,max" });
        foreach (var result in reply.Results)
        {
            foreach (var point in result.Points)
            {
                Console.WriteLine($"{result.Series} {result.Fn} {DateTimeOffset.UnixEpoch.AddMicroseconds(point.Time):O} {point.Value}");
            }
        }
        if (reply.Meta.Partial)
        {
            Console.WriteLine($"not all could be asked; missing: {string.Join(", ", reply.Meta.Missing!)}");
        }
    }

    internal static async Task<long> PagesAsync(ForetierClient foretier)
    {
        var points = 0L;
        var query = new QueryParameters { Series = "acme/*/*", From = "2017-03-09", To = "2017-04-09", Fn = "raw", Limit = 100_000 };
        for (string? cursor = null; ;)
        {
            var page = await foretier.QueryAsync(query with { Cursor = cursor });
            points += page.Results.Sum(result => result.Points.Count);
            if ((cursor = page.Meta.Next) is null)
            {
                return points;
            }
        }
    }

    internal static async Task FailuresAsync(ForetierClient foretier, CancellationToken cancel)
    {
        try
        {
            await foretier.QueryAsync(new() { Series = "acme/boiler-1/temperature", From = "-1h" }, cancel);
        }
        catch (ServerRefusedException refused)
        {
            // RFC 9457: the code is for programs, the detail says what to do.
            Console.WriteLine($"{refused.Problem.Code}: {refused.Problem.Detail}");
        }
        catch (ServerUnreachableException gone)
        {
            Console.WriteLine(gone.Message);
        }
    }

    internal static async Task ExplainAsync(ForetierClient foretier)
    {
        var explained = await foretier.ExplainAsync(new() { Series = "acme/boiler-1/temperature", From = "-7d", Step = "1h" });
        foreach (var fetch in explained.GetProperty("measured").GetProperty("fetches").EnumerateArray())
        {
            Console.WriteLine($"{fetch.GetProperty("node")}: expected {fetch.GetProperty("estimatedMs")} ms, took {fetch.GetProperty("measuredMs")} ms");
        }
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    private static string Plain(string code) => string.Join('\n', code.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
