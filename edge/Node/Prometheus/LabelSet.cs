namespace Foretier.Node.Prometheus;

/// <summary>The labels of a Prometheus series, sorted by name; equal where all names and values are.</summary>
public sealed class LabelSet : IEquatable<LabelSet>
{
    /// <summary>The label that holds the metric's name.</summary>
    public const string Name = "__name__";

    public static readonly LabelSet Empty = new([]);

    private readonly KeyValuePair<string, string>[] _labels;
    private readonly int _hash;

    public LabelSet(IEnumerable<KeyValuePair<string, string>> labels)
    {
        _labels = [.. labels.OrderBy(label => label.Key, StringComparer.Ordinal)];
        var hash = new HashCode();
        foreach (var (name, value) in _labels)
        {
            hash.Add(name, StringComparer.Ordinal);
            hash.Add(value, StringComparer.Ordinal);
        }
        _hash = hash.ToHashCode();
    }

    public IReadOnlyList<KeyValuePair<string, string>> Labels => _labels;

    /// <summary>A label's value; empty, as Prometheus has it, where there is no such label.</summary>
    public string this[string name] => Array.Find(_labels, label => label.Key == name).Value ?? "";

    public LabelSet Only(IReadOnlyCollection<string> names) => new(_labels.Where(label => names.Contains(label.Key)));

    public LabelSet Without(IReadOnlyCollection<string> names) => new(_labels.Where(label => !names.Contains(label.Key)));

    /// <summary>What is left when a function has made something else of the metric.</summary>
    public LabelSet WithoutName() => this[Name].Length == 0 ? this : Without([Name]);

    public bool Equals(LabelSet? other) => other is not null && other._hash == _hash && _labels.AsSpan().SequenceEqual(other._labels);

    public override bool Equals(object? obj) => Equals(obj as LabelSet);

    public override int GetHashCode() => _hash;

    public override string ToString() => $"{{{string.Join(", ", _labels.Select(label => $"{label.Key}=\"{label.Value}\""))}}}";
}
