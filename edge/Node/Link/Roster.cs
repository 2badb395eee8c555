using System.Text.Json;
using Foretier.Durable;
using Foretier.Node.Hosting;

namespace Foretier.Node.Link;

/// <summary>
/// Names of the nodes below that were ever heard of, kept from start to start: who starts again knows whom to wait for before it calls an answer whole.
/// Thread-safe. Written when a name is new, or forgotten.
/// </summary>
public sealed class Roster
{
    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly HashSet<string> _names;

    private Roster(string path, HashSet<string> names) => (_path, _names) = (path, names);

    /// <exception cref="ConfigurationException">The file cannot be read.</exception>
    public static Roster Open(string path)
    {
        try
        {
            return new(path, TwoCopies.Read(path, out _) is { } text ? JsonSerializer.Deserialize<HashSet<string>>(text, NodeJson.Options) ?? [] : []);
        }
        catch (Exception error) when (error is IOException or InvalidDataException or JsonException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}, where the nodes below are named, cannot be read: {error.Message} Remove it: each is named anew when it dials in.");
        }
    }

    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_lock)
            {
                return [.. _names];
            }
        }
    }

    /// <exception cref="IOException">It cannot be written; it counts until this node stops.</exception>
    public void Add(string name)
    {
        lock (_lock)
        {
            if (_names.Add(name))
            {
                Write();
            }
        }
    }

    /// <exception cref="IOException">It cannot be written; it counts until this node stops.</exception>
    public void Remove(string name)
    {
        lock (_lock)
        {
            if (_names.Remove(name))
            {
                Write();
            }
        }
    }

    private void Write() => TwoCopies.Write(_path, JsonSerializer.SerializeToUtf8Bytes(_names.Order(StringComparer.Ordinal), NodeJson.Options));
}
