using System.Globalization;
using DuckDB.NET.Data;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Archive;

/// <summary>The archive is open to engines that know nothing of us.</summary>
public sealed class DuckDbTests : IDisposable
{
    private readonly ArchiveBench _bench = new();
    private readonly DuckDBConnection _duck = new("DataSource=:memory:");

    public DuckDbTests() => _duck.Open();

    public void Dispose()
    {
        _duck.Dispose();
        _bench.Dispose();
    }

    [Fact]
    public async Task DuckDb_reads_the_same_samples_prunes_by_time_and_sees_the_partitions()
    {
        // Two row groups, so that a filter has something to skip.
        var samples = new Dictionary<string, SampleColumns>(ArchiveBench.SomeSamples());
        var many = samples["a/many/temperature"] = new();
        for (var i = 0; i < 300_000; i++)
        {
            many.Add(ArchiveBench.Day.Start + i * 250_000L, Math.Round(20 + Math.Sin(i / 1000.0), 2));
        }
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var files = $"read_parquet('{_bench.Objects}/v1/raw/**/*.parquet', hive_partitioning = true)";

        var all = Row($"SELECT count(*), epoch_us(min(ts)), epoch_us(max(ts)), count(value), count(state), count(DISTINCT series) FROM {files}");
        var states = samples.Values.Sum(s => Enumerable.Range(0, s.Count).Count(i => s.StateAt(i) is not null));
        long total = samples.Values.Sum(s => s.Count);
        Assert.Equal([total, samples.Values.Min(s => s.FirstTime), samples.Values.Max(s => s.LastTime), total - states, states, samples.Count], all);

        long from = ArchiveBench.Day.Start + 3 * Instant.Hour + 7, to = from + 20 * Instant.Minute;
        var slice = many.Slice(new(from, to));
        Assert.Equal([slice.Count, slice.FirstTime, slice.LastTime], Row($"""
            SELECT count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM {files} WHERE series = 'a/many/temperature'
            AND ts >= TIMESTAMPTZ '{Instant.Format(from)}' AND ts < TIMESTAMPTZ '{Instant.Format(to)}'
            """));
        Assert.Equal(slice.Values.ToArray().Sum(), Cell<double>($"""
            SELECT sum(value) FROM {files} WHERE series = 'a/many/temperature' AND epoch_us(ts) BETWEEN {from} AND {to - 1}
            """), 1e-6);

        Assert.Equal([total], Row($"SELECT count(*) FROM {files} WHERE site = 'home' AND date = DATE '2017-03-09'"));
        Assert.Equal([0L], Row($"SELECT count(*) FROM {files} WHERE date = DATE '2017-03-10'"));
    }

    [Fact]
    public async Task DuckDb_reads_rollups_as_partitions_of_their_own_that_say_what_the_samples_say()
    {
        var samples = ArchiveRollupTests.Readings();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var rollups = $"read_parquet('{_bench.Objects}/v1/rollup=1h/**/*.parquet', hive_partitioning = true)";
        var raw = $"read_parquet('{_bench.Objects}/v1/raw/**/*.parquet', hive_partitioning = true)";

        Assert.Equal([samples.Values.Sum(s => s.Count)], Row($"SELECT count(*) FROM {raw}"));
        Assert.Equal([samples.Count * 24], Row($"SELECT count(*) FROM {rollups} WHERE site = 'home' AND date = DATE '2017-03-09' AND rollup = '1h'"));
        Assert.Equal([0L], Row($"SELECT count(*) FROM {rollups} WHERE date = DATE '2017-03-10'"));
        // Every column against what DuckDB itself makes of the samples.
        Assert.Equal([samples.Count * 24], Row($"""
            SELECT count(*) FROM {rollups} AS r JOIN (SELECT series, time_bucket(INTERVAL 1 hour, ts) AS hour, count(*) AS count, sum(value) AS sum, min(value) AS min, max(value) AS max,
                arg_min(value, ts) AS first, arg_max(value, ts) AS last, min(ts) AS first_ts, max(ts) AS last_ts, var_pop(value) * count(value) AS m2, arg_min(state, ts) AS first_state, arg_max(state, ts) AS last_state
                FROM {raw} GROUP BY ALL) AS s ON r.series = s.series AND r.ts = s.hour
            WHERE r.count = s.count AND r.min IS NOT DISTINCT FROM s.min AND r.max IS NOT DISTINCT FROM s.max AND r.first IS NOT DISTINCT FROM s.first AND r.last IS NOT DISTINCT FROM s.last
                AND r.first_ts = s.first_ts AND r.last_ts = s.last_ts AND (r.sum IS NULL AND s.sum IS NULL OR abs(r.sum - s.sum) < 1e-6)
                AND (r.m2 IS NULL AND s.m2 IS NULL OR abs(r.m2 - s.m2) < 1e-3) AND r.first_state IS NOT DISTINCT FROM s.first_state AND r.last_state IS NOT DISTINCT FROM s.last_state
            """));
        // What a counter grew by, within its hours; how long a state held; how many numbers a sketch has.
        List<RollupDetail> DetailsOf(string series)
        {
            using var rows = new BucketRows(RollupParts.All);
            rows.Add(samples[series], new(TimeRange.Everything, Instant.Hour));
            return [.. rows.Rows.ToArray().Select(row => row.Rollup.Detail!)];
        }
        Assert.Equal(DetailsOf("a/d/counter").Sum(hour => hour.Increase), Cell<double>($"SELECT sum(last - first + resets) FROM {rollups} WHERE series = 'a/d/counter'"), 1e-6);
        Assert.Equal([DetailsOf("a/d/state").Sum(hour => hour.Durations["on"])], Row($"SELECT sum(durations['on'])::BIGINT FROM {rollups} WHERE series = 'a/d/state'"));
        Assert.Equal([samples["a/d/counter"].Count], Row($"SELECT sum(list_sum(map_values(sketch)))::BIGINT FROM {rollups} WHERE series = 'a/d/counter'"));
    }

    [Fact]
    public async Task The_file_says_what_it_is()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(ArchiveBench.SomeSamples(), 3, 8), default);
        var file = _bench.Files("*.parquet").Single(f => f.Contains("/v1/raw/", StringComparison.Ordinal));
        string Of(string key) => Cell<string>($"SELECT decode(value) FROM parquet_kv_metadata('{file}') WHERE decode(key) = '{key}'");

        Assert.Equal("1", Of("foretier.format"));
        Assert.Equal(("home", "edge-1", "20170309T000000Z-24h"), (Of("foretier.site"), Of("foretier.edge"), Of("foretier.window")));
        Assert.Equal(("3", "8"), (Of("foretier.after"), Of("foretier.through")));
        Assert.Contains("""{"name":"a/kitchen/temperature","unit":"Cel","kind":"gauge",""", Of("foretier.series"), StringComparison.Ordinal);
        Assert.Equal("TIMESTAMP WITH TIME ZONE", Cell<string>($"SELECT typeof(ts) FROM '{file}' LIMIT 1"));
        Assert.Equal("ZSTD", Cell<string>($"SELECT any_value(compression) FROM parquet_metadata('{file}')"));
        Assert.Contains("DELTA_BINARY_PACKED",
            Cell<string>($"SELECT encodings FROM parquet_metadata('{file}') WHERE path_in_schema = 'ts'"), StringComparison.Ordinal);
    }

    private long[] Row(string sql)
    {
        using var command = _duck.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        Assert.True(reader.Read());
        return [.. Enumerable.Range(0, reader.FieldCount).Select(i => Convert.ToInt64(reader.GetValue(i), CultureInfo.InvariantCulture))];
    }

    private T Cell<T>(string sql)
    {
        using var command = _duck.CreateCommand();
        command.CommandText = sql;
        return (T)command.ExecuteScalar()!;
    }
}
