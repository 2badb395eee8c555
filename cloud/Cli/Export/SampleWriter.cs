using System.Buffers;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using Foretier.Archive.Parquet;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Export;

/// <summary>A form in which samples leave: CSV, line protocol or Parquet. Series come in the order of their names, each in the order of time.</summary>
internal abstract class SampleWriter : IAsyncDisposable
{
    public static readonly string[] Formats = ["parquet", "csv", "line"];

    /// <summary>What a form cannot say and that was left out.</summary>
    public long Unsayable { get; protected set; }

    public abstract Task WriteAsync(SeriesEntry series, IReadOnlyList<ApiPoint> points, CancellationToken cancel);

    /// <summary>All has been written.</summary>
    public abstract Task CompleteAsync(CancellationToken cancel);

    public abstract ValueTask DisposeAsync();

    /// <summary>The form that a file's name means, less a .gz; null where it means none.</summary>
    public static string? FormatOf(string? path) =>
        Path.GetExtension(path is not null && path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path)?.ToLowerInvariant() switch
        {
            ".parquet" => "parquet",
            ".csv" => "csv",
            ".lp" or ".line" => "line",
            _ => null,
        };

    /// <param name="into">Owned where it is a file.</param>
    /// <param name="gzip">For the text forms; Parquet is compressed anyway.</param>
    public static SampleWriter Of(string format, Stream into, bool gzip)
    {
        StreamWriter Text() => new(gzip ? new GZipStream(into, CompressionLevel.Fastest) : into, new UTF8Encoding(false), 1 << 16);
        return format switch
        {
            "parquet" => new ParquetSamples(into),
            "csv" => new CsvSamples(Text()),
            _ => new LineSamples(Text()),
        };
    }

    private abstract class TextSamples(StreamWriter text) : SampleWriter
    {
        protected StreamWriter Text => text;

        public override Task CompleteAsync(CancellationToken cancel) => text.FlushAsync(cancel);

        public override ValueTask DisposeAsync() => text.DisposeAsync();
    }

    /// <summary><c>series,time,value,state</c>; times in RFC 3339 to the microsecond.</summary>
    private sealed class CsvSamples(StreamWriter text) : TextSamples(text)
    {
        private bool _begun;

        public override async Task WriteAsync(SeriesEntry series, IReadOnlyList<ApiPoint> points, CancellationToken cancel)
        {
            if (!_begun)
            {
                _begun = true;
                await Text.WriteLineAsync("series,time,value,state".AsMemory(), cancel).ConfigureAwait(false);
            }
            foreach (var point in points)
            {
                Text.Write(Quote(series.Name));
                Text.Write(',');
                Text.Write(Instant.Format(point.Time));
                Text.Write(',');
                Text.WriteLine(point.State is { } state ? "," + Quote(state) : point.Value.ToString(CultureInfo.InvariantCulture) + ",");
            }
            await Text.FlushAsync(cancel).ConfigureAwait(false);
        }

        // An empty state is quoted, so that it is not taken for none.
        private static string Quote(string state) => state.Length == 0 || state.AsSpan().IndexOfAny(",\"\r\n") >= 0
            ? $"\"{state.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : state;
    }

    /// <summary><c>measurement,account=…,device=… value=… ns</c>, a state as <c>state="…"</c>. Infinite numbers it cannot say.</summary>
    private sealed class LineSamples(StreamWriter text) : TextSamples(text)
    {
        private static readonly SearchValues<char> Special = SearchValues.Create(",= \\");

        public override async Task WriteAsync(SeriesEntry series, IReadOnlyList<ApiPoint> points, CancellationToken cancel)
        {
            var parts = series.Name.Split('/');
            var head = $"{Escape(parts[2])},account={Escape(parts[0])},device={Escape(parts[1])} ";
            foreach (var point in points)
            {
                if (point.State is null && !double.IsFinite(point.Value))
                {
                    Unsayable++;
                    continue;
                }
                Text.Write(head);
                Text.Write(point.State is { } state
                    ? $"state=\"{state.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\" "
                    : string.Create(CultureInfo.InvariantCulture, $"value={point.Value} "));
                Text.Write(point.Time.ToString(CultureInfo.InvariantCulture));
                Text.Write("000\n");
            }
            await Text.FlushAsync(cancel).ConfigureAwait(false);
        }

        private static string Escape(string name)
        {
            if (name.AsSpan().IndexOfAny(Special) < 0)
            {
                return name;
            }
            var escaped = new StringBuilder();
            foreach (var c in name)
            {
                _ = Special.Contains(c) ? escaped.Append('\\').Append(c) : escaped.Append(c);
            }
            return escaped.ToString();
        }
    }

    /// <summary>A raw file of the archive's form (edge/Archive/FORMAT.md).</summary>
    private sealed class ParquetSamples(Stream into) : SampleWriter
    {
        private readonly RawFileWriter _file = new(into, new Dictionary<string, string>());

        public override Task WriteAsync(SeriesEntry series, IReadOnlyList<ApiPoint> points, CancellationToken cancel)
        {
            var samples = new SampleColumns(points.Count);
            foreach (var point in points)
            {
                samples.Add(point.Time, point.State is null ? point.Value : 0, point.State);
            }
            if (samples.Count > 0)
            {
                _file.Add(new SeriesInfo(series.Name, "", series.Unit, series.Kind ?? "gauge"), samples);
            }
            return Task.CompletedTask;
        }

        public override Task CompleteAsync(CancellationToken cancel)
        {
            _file.Close();
            return Task.CompletedTask;
        }

        public override async ValueTask DisposeAsync()
        {
            _file.Dispose();
            await into.DisposeAsync().ConfigureAwait(false);
        }
    }
}
