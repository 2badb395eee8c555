using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments;

/// <summary>
/// The states of a chunk: which samples are states, the distinct texts in the order of their first use, and for each state how long ago its text
/// was last used (move to front). A state that repeats is 0 and one that takes turns with another is 1, so that switches cost next to nothing.
/// </summary>
internal static class StateColumn
{
    /// <param name="isAll">No sample is a number: then nothing is written of which ones are.</param>
    public static void Write(ByteWriter to, ReadOnlySpan<string?> states, bool isAll)
    {
        if (!isAll)
        {
            WriteKinds(to, states);
        }
        var texts = new List<string>();
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        var recent = new List<int>();
        var ages = new List<long>();
        foreach (var state in states)
        {
            if (state is null)
            {
                continue;
            }
            if (!seen.TryGetValue(state, out var text))
            {
                text = texts.Count;
                seen.Add(state, text);
                texts.Add(state);
                // As if it stood behind all that have been seen: a reader knows the next new text by its age.
                recent.Add(text);
            }
            var age = recent.IndexOf(text);
            ages.Add(age);
            recent.RemoveAt(age);
            recent.Insert(0, text);
        }
        to.VarUInt((ulong)texts.Count);
        foreach (var text in texts)
        {
            StateText.Write(to, text);
        }
        IntColumn.Write(to, ages.ToArray());
    }

    /// <summary>Reads the states, null where there is a number.</summary>
    public static string?[] Read(ref ByteReader from, int count, bool isAll)
    {
        var states = new string?[count];
        var isState = new bool[count];
        var stateCount = isAll ? count : ReadKinds(ref from, isState);
        if (isAll)
        {
            Array.Fill(isState, true);
        }
        var texts = new string[from.Count(Math.Min(stateCount, from.Left), "states")];
        for (var i = 0; i < texts.Length; i++)
        {
            texts[i] = StateText.Read(ref from);
        }
        var ages = new long[stateCount];
        IntColumn.Read(ref from, ages);
        var recent = new List<int>();
        var next = 0;
        for (var i = 0; i < count; i++)
        {
            if (!isState[i])
            {
                continue;
            }
            var age = ages[next++];
            if (age == recent.Count && recent.Count < texts.Length)
            {
                recent.Add(recent.Count);
            }
            if (age < 0 || age >= recent.Count)
            {
                throw new SegmentFormatException("a state beyond the list of states");
            }
            var text = recent[(int)age];
            recent.RemoveAt((int)age);
            recent.Insert(0, text);
            states[i] = texts[text];
        }
        return states;
    }

    // Lengths of the runs of numbers and of states in turn, numbers first.
    private static void WriteKinds(ByteWriter to, ReadOnlySpan<string?> states)
    {
        var lengths = new List<long> { 0 };
        var isState = false;
        foreach (var state in states)
        {
            if (state is not null != isState)
            {
                isState = !isState;
                lengths.Add(0);
            }
            lengths[^1]++;
        }
        to.VarUInt((ulong)lengths.Count);
        IntColumn.Write(to, lengths.ToArray());
    }

    private static int ReadKinds(ref ByteReader from, Span<bool> isState)
    {
        var lengths = new long[from.Count(isState.Length + 1, "runs of states")];
        IntColumn.Read(ref from, lengths);
        int at = 0, states = 0;
        for (var run = 0; run < lengths.Length; run++)
        {
            if (lengths[run] < 0 || lengths[run] > isState.Length - at)
            {
                throw new SegmentFormatException("runs of states that do not add up to their chunk");
            }
            if (run % 2 == 1)
            {
                isState.Slice(at, (int)lengths[run]).Fill(true);
                states += (int)lengths[run];
            }
            at += (int)lengths[run];
        }
        return at == isState.Length ? states : throw new SegmentFormatException("runs of states that do not add up to their chunk");
    }
}
