using System.Text.Json;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Node.Serve;

/// <summary>What the partition map says of a series at a time; null where it says nothing.</summary>
public delegate (string Partition, string Access, string Tier)? PartitionHints(string series, long time);

/// <summary>The document of /explain: the question as understood, the plan with estimates, and, when executed, what it cost.</summary>
internal static class ExplainWriter
{
    private const int PartsShown = 200;

    public static void Write(Utf8JsonWriter json, Question question, IReadOnlyCollection<SeriesInfo> series, Plan plan, Answer? answer, TimeSpan elapsed,
        PartitionHints? hints)
    {
        json.WriteStartObject();
        json.WriteStartObject("question");
        json.WriteNumber("series", series.Select(s => s.Name).Distinct().Count());
        json.WriteString("from", Instant.Format(question.Range.From));
        json.WriteString("to", Instant.Format(question.Range.To));
        json.WriteNumber("stepSeconds", question.Step / (double)Instant.Second);
        json.WriteString("fn", string.Join(',', question.Functions.Select(Question.NameOf)));
        json.WriteEndObject();
        WritePartitions(json, question, series, hints);
        json.WriteStartObject("plan");
        json.WriteNumber("catalogRevision", plan.CatalogRevision);
        json.WriteStartArray("fetches");
        foreach (var fetch in plan.Fetches)
        {
            WriteFetch(json, fetch);
        }
        json.WriteEndArray();
        json.WriteStartArray("missing");
        foreach (var range in plan.Missing)
        {
            json.WriteStringValue(range.ToString());
        }
        json.WriteEndArray();
        json.WriteEndObject();
        if (answer is not null)
        {
            json.WriteStartObject("measured");
            json.WriteNumber("ms", Math.Round(elapsed.TotalMilliseconds, 3));
            json.WriteNumber("points", answer.Series.Sum(s => (s.Raw?.Count ?? 0) + (s.Rows?.Count ?? 0)));
            json.WritePropertyName("meta");
            AnswerWriter.WriteMeta(json, answer);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void WriteFetch(Utf8JsonWriter json, PlannedFetch fetch)
    {
        json.WriteStartObject();
        json.WriteString("tier", JsonNamingPolicy.CamelCase.ConvertName(fetch.Tier.ToString()));
        json.WriteString("node", fetch.Node);
        json.WriteString("shape", fetch.Request.Raw ? "raw" : "rollups");
        json.WriteNumber("series", fetch.Request.Series.Count);
        json.WriteNumber("estimatedMs", Math.Round(fetch.EstimatedMilliseconds, 3));
        json.WriteNumber("parts", fetch.Request.Parts.Count);
        json.WriteStartArray("windows");
        for (var i = 0; i < Math.Min(fetch.Request.Parts.Count, PartsShown); i++)
        {
            var part = fetch.Request.Parts[i];
            json.WriteStartObject();
            json.WriteString("edge", part.Edge);
            json.WriteString("window", part.Window.ToString());
            json.WriteString("from", Instant.Format(part.Range.From));
            json.WriteString("to", Instant.Format(part.Range.To));
            json.WriteNumber("after", part.After);
            if (part.Through == Holding.Latest)
            {
                json.WriteString("through", "latest");
            }
            else
            {
                json.WriteNumber("through", part.Through);
            }
            json.WriteBoolean("merged", fetch.Merges[i] >= 0);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WritePartitions(Utf8JsonWriter json, Question question, IReadOnlyCollection<SeriesInfo> series, PartitionHints? hints)
    {
        if (hints is null)
        {
            return;
        }
        json.WriteStartArray("partitions");
        var seen = new HashSet<(string, string, string)>();
        foreach (var name in series.Select(s => s.Name).Distinct())
        {
            if (hints(name, question.Range.To - 1) is { } hint && seen.Add(hint))
            {
                json.WriteStartObject();
                json.WriteString("partition", hint.Partition);
                json.WriteString("access", hint.Access);
                json.WriteString("preferredTier", hint.Tier);
                json.WriteString("example", name);
                json.WriteEndObject();
            }
        }
        json.WriteEndArray();
    }
}
