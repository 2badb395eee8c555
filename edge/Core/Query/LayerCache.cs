using System.Collections.Concurrent;

namespace Foretier.Core.Query;

/// <summary>
/// Layers of stored files as they were read, checked and opened, so that a file that is asked for again is not read again. Bounded in bytes; the
/// files used longest ago make room. What a file has is remembered under its version, and forgotten when it has another. Thread-safe.
/// </summary>
/// <typeparam name="TFile">Names of files, equal for equal files.</typeparam>
/// <typeparam name="TVersion">Equal as long as a file has the same layers.</typeparam>
/// <param name="bytesMax">Of all layers together; 0: nothing is kept.</param>
public sealed class LayerCache<TFile, TVersion>(long bytesMax)
    where TFile : notnull
    where TVersion : IEquatable<TVersion>
{
    /// <summary>What the objects of a layer take besides its bytes: those of segment and headers, and the entry here.</summary>
    private const int LayerOverhead = 600;

    private readonly Lock _gate = new();
    private readonly Dictionary<TFile, CachedFile> _files = [];
    private long _bytes, _uses;

    /// <summary>Bytes that are kept now, about.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>True where so many bytes are worth remembering: what fills a quarter of the cache would drive out too much else.</summary>
    public bool HasRoomFor(long bytes) => bytes <= bytesMax / 4;

    /// <summary>What is known of a file.</summary>
    public CachedFile Of(TFile file, TVersion version)
    {
        lock (_gate)
        {
            if (!_files.TryGetValue(file, out var known) || !known.Version.Equals(version))
            {
                Forget(file);
                _files[file] = known = new(this, version);
            }
            known.LastUse = ++_uses;
            return known;
        }
    }

    internal void Count(CachedFile file, IReadOnlyList<Layer> layers)
    {
        var bytes = LayerOverhead + layers.Sum(layer => LayerOverhead + (layer.Segment?.Bytes.Length ?? 0) + layer.Rollups.Length);
        lock (_gate)
        {
            if (file.IsForgotten)
            {
                return;
            }
            file.Bytes += bytes;
            if ((_bytes += bytes) <= bytesMax)
            {
                return;
            }
            // More than has to go, so that not every further layer looks for the next.
            foreach (var (name, _) in _files.OrderBy(f => f.Value.LastUse).ToList())
            {
                if (_bytes <= bytesMax / 4 * 3)
                {
                    break;
                }
                Forget(name);
            }
        }
    }

    private void Forget(TFile file)
    {
        if (_files.Remove(file, out var known))
        {
            known.IsForgotten = true;
            _bytes -= known.Bytes;
        }
    }

    /// <summary>The layers of one version of a file, series by series as they were asked for.</summary>
    public sealed class CachedFile
    {
        private readonly ConcurrentDictionary<long, IReadOnlyList<Layer>> _series = new();
        private readonly LayerCache<TFile, TVersion> _cache;

        internal CachedFile(LayerCache<TFile, TVersion> cache, TVersion version) => (_cache, Version) = (cache, version);

        internal TVersion Version { get; }
        internal long LastUse { get; set; }
        internal long Bytes { get; set; }
        internal bool IsForgotten { get; set; }

        /// <summary>All layers that the file has of a series; null where that is not known.</summary>
        public IReadOnlyList<Layer>? Find(long series) => _series.GetValueOrDefault(series);

        public void Put(long series, IReadOnlyList<Layer> layers)
        {
            if (_series.TryAdd(series, layers))
            {
                _cache.Count(this, layers);
            }
        }
    }
}
