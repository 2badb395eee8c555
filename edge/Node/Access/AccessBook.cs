using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Protocol;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Access;

/// <summary>
/// Counts each question once, where it was asked: in this node's own log, and for the nodes below. What they fetch from each other
/// to answer it is not counted again.
/// </summary>
/// <param name="own">This node's access log; null where it keeps none.</param>
/// <param name="below">Who tells the nodes below; null where there are none.</param>
public sealed class AccessBook(TimeProvider clock, Action<AccessCount>? own, AccessForwarder? below)
{
    private const int SendersMax = 64;

    private static readonly long[] Steps = [Instant.Day, Instant.Hour, 5 * Instant.Minute, Instant.Minute];

    private readonly Lock _lock = new();
    private readonly Dictionary<(string From, long Run), long> _numbers = [];

    /// <summary>A question that was answered here.</summary>
    public void Asked(Question question, SeriesInfo[] series)
    {
        var now = Instant.Now(clock);
        var shape = ReadShape.Of(question.Range, now);
        var isRolled = question.NeedsRollups || question.Rolling is not null;
        // A device that moved is a series of each edge.
        var counted = series.Length > 1 ? new HashSet<string>(series.Length, StringComparer.Ordinal) : null;
        foreach (var one in series)
        {
            if (counted?.Add(one.Name) == false)
            {
                continue;
            }
            if (question.NeedsRaw)
            {
                Count(new(one.Name, 0, shape.Value, now / Instant.Hour, 1));
            }
            if (isRolled)
            {
                Count(new(one.Name, StepOf(question), shape.Value, now / Instant.Hour, 1));
            }
        }
    }

    /// <summary>The coarsest rollup that serves a question, µs; 0 where none does and samples have to be read.</summary>
    public static long StepOf(Question question)
    {
        foreach (var step in Steps)
        {
            if (question.Step > 0 ? question.Step % step == 0 : step <= question.Range.Length)
            {
                return step;
            }
        }
        return 0;
    }

    /// <summary>POST access, for the node above.</summary>
    public void Map(RouteGroupBuilder inner) => inner.MapPost("/access", (AccessMessage message) =>
    {
        if (message.Counts is null || message.Counts.Count > AccessMessage.CountsMax || string.IsNullOrEmpty(message.From))
        {
            return Serve.Problem.Of(StatusCodes.Status400BadRequest, "bad_access", $"an access message has a sender and at most {AccessMessage.CountsMax} counts");
        }
        Told(message);
        return Results.NoContent();
    });

    /// <summary>What the node above tells. Told twice, it counts once.</summary>
    public void Told(AccessMessage message)
    {
        lock (_lock)
        {
            var sender = (message.From, message.Run);
            if (_numbers.GetValueOrDefault(sender) >= message.Number)
            {
                return;
            }
            if (_numbers.Count >= SendersMax && !_numbers.ContainsKey(sender))
            {
                // Runs that ended long ago.
                _numbers.Remove(_numbers.Keys.MinBy(s => s.Run));
            }
            _numbers[sender] = message.Number;
        }
        foreach (var count in message.Counts)
        {
            if (count is { Series.Length: > 0, Count: > 0, Step: >= 0, Hour: > 0 and < long.MaxValue / Instant.Hour })
            {
                Count(count);
            }
        }
    }

    private void Count(AccessCount count)
    {
        own?.Invoke(count);
        below?.Add(count);
    }
}
