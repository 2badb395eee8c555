using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest;

/// <summary>A line that was refused.</summary>
/// <param name="Line">1 for the first.</param>
internal readonly record struct LineProblem(int Line, Refusal Refusal);

/// <summary>What became of a body of lines.</summary>
/// <param name="Ticket">Durable with this commit, and not to be answered before.</param>
/// <param name="Problems">The first of those refused.</param>
internal sealed record LinesTaken(long Ticket, int Accepted, int Refused, IReadOnlyList<LineProblem> Problems);

internal sealed partial class Sender
{
    private const int ProblemsKept = 100;

    // So many samples go into one record of the journal, so that no body is too large for it.
    private const int SamplesAtOnce = 4096;

    /// <summary>Takes Influx lines, each by itself: bad ones are refused, the others stored.</summary>
    /// <param name="address">They came to, for the book of refusals.</param>
    /// <param name="unitOfTime">ns of one unit of their times; 0 tells by magnitude.</param>
    /// <exception cref="HotStoreUnavailableException">The store can take no more now: lines before may be stored.</exception>
    public LinesTaken PublishLines(ReadOnlySpan<byte> address, ReadOnlySpan<byte> body, long unitOfTime)
    {
        var known = new KnownTopic(new(Name, null), Name.IsConcentrator ? null : intake.Devices.Meet(Name));
        var device = Name.IsConcentrator ? default : known.DeviceName.AsSpan();
        var now = Instant.Now(intake.Clock);
        var draft = new Draft();
        var problems = new List<LineProblem>();
        var (ticket, accepted, refused) = (0L, 0, 0);
        draft.Begin(_readings, now);
        for (int number = 1, next; !body.IsEmpty; number = next)
        {
            var line = LineProtocol.NextLine(ref body);
            next = number + 1 + line.Count((byte)'\n');
            if (LineProtocol.IsBlank(line))
            {
                continue;
            }
            var first = _readings.Count;
            draft.Begin(now);
            if (!draft.End(LineProtocol.Line(line, device, nameDevice: true, unitOfTime, draft) && IsAllowed(known, draft, first), out var refusal))
            {
                _readings.CutTo(first);
                refused++;
                ticket = Math.Max(ticket, Refuse(address, line, refusal).Ticket);
                if (problems.Count < ProblemsKept)
                {
                    problems.Add(new(number, refusal));
                }
                continue;
            }
            accepted++;
            if (_readings.Count >= SamplesAtOnce)
            {
                ticket = Math.Max(ticket, AppendLines(known, now));
            }
        }
        ticket = Math.Max(ticket, AppendLines(known, now));
        return new(ticket, accepted, refused, problems);
    }

    private bool IsAllowed(KnownTopic known, Draft draft, int first)
    {
        draft.RefuseDuplicates(first);
        foreach (ref readonly var reading in _readings.Readings[first..])
        {
            var name = _readings.NameOf(reading);
            if (!Names.IsValid(name[(name.IndexOf((byte)'/') + 1)..]) || !known.Member(name, this).IsAllowed)
            {
                return draft.Stop(RefusalCode.NotAuthorized, $"{Name} may not write {Excerpt.Of(name, 100)}");
            }
        }
        return true;
    }

    private long AppendLines(KnownTopic known, long now)
    {
        // Lines have no units: what is left to refuse is what came too late, or past the flash budget.
        if (!TryAppend(known, now, out var ticket, out var refusal))
        {
            ticket = intake.Store.Reject(refusal.Code, refusal.Samples);
        }
        _readings.Clear();
        return ticket;
    }
}
