using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Node.Serve;

/// <summary>The document of /explain: the question as understood, the plan with estimates, and, when executed, what it cost.</summary>
internal static class ExplainWriter
{
    private const int PartsShown = 200;

    public static void Write(Utf8JsonWriter json, Question question, SeriesInfo[] series, Plan plan, AnswerPage? page, TimeSpan elapsed,
        PartitionMap? map)
    {
        json.WriteStartObject();
        json.WriteStartObject("question");
        json.WriteNumber("series", series.Select(s => s.Name).Distinct().Count());
        json.WriteString("from", Instant.Format(question.Range.From));
        json.WriteString("to", Instant.Format(question.Range.To));
        json.WriteNumber("stepSeconds", question.Step / (double)Instant.Second);
        json.WriteString("fn", string.Join(',', question.Functions.Select(fn => fn.Name)));
        json.WriteEndObject();
        WritePartitions(json, question, series, map);
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
        if (page is not null)
        {
            json.WriteStartObject("measured");
            json.WriteNumber("ms", Math.Round(elapsed.TotalMilliseconds, 3));
            json.WriteNumber("points", page.Results.Sum(result => result.Points.Count()));
            json.WriteStartArray("fetches");
            foreach (var cost in page.Answer.Costs)
            {
                json.WriteStartObject();
                json.WriteString("tier", JsonNamingPolicy.CamelCase.ConvertName(cost.Tier.ToString()));
                json.WriteString("node", cost.Node);
                json.WriteString("outcome", JsonNamingPolicy.CamelCase.ConvertName(cost.Outcome.ToString()));
                json.WriteNumber("estimatedMs", Math.Round(cost.EstimatedMilliseconds, 3));
                json.WriteNumber("measuredMs", Math.Round(cost.Milliseconds, 3));
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WritePropertyName("meta");
            AnswerWriter.WriteMeta(json, page.Answer);
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
        json.WriteNumber("estimatedRows", fetch.Work.Rows);
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
            json.WriteBoolean("merged", fetch.Places[i].Merge >= 0);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WritePartitions(Utf8JsonWriter json, Question question, SeriesInfo[] series, PartitionMap? map)
    {
        if (map is null)
        {
            return;
        }
        json.WriteNumber("mapRevision", map.Revision);
        json.WriteStartArray("partitions");
        foreach (var partition in series.SelectMany(s => map.FindAll(s.Name, question.Range, s.Edge).Select(entry => (s.Name, Entry: entry)))
            .GroupBy(p => p.Entry).OrderBy(p => p.Key.Id).Take(PartsShown))
        {
            json.WriteStartObject();
            json.WriteString("partition", partition.Key.Id.ToString());
            json.WriteString("edge", partition.Key.Edge);
            json.WriteString("access", JsonNamingPolicy.CamelCase.ConvertName(partition.Key.Access.ToString()));
            json.WriteString("prefer", JsonNamingPolicy.CamelCase.ConvertName(partition.Key.Prefer.ToString()));
            json.WriteNumber("samplesP90", partition.Key.SamplesP90);
            json.WriteNumber("series", partition.Count());
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
