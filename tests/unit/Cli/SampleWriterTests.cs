using System.IO.Compression;
using DuckDB.NET.Data;
using Foretier.Cli.Export;
using Foretier.Protocol.Api;

namespace Foretier.Tests.Unit.Cli;

public sealed class SampleWriterTests : IDisposable
{
    private const long Start = 1_489_017_600_000_000;
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    private async Task<long> WriteAsync(string format, bool gzip = false)
    {
        await using var writer = SampleWriter.Of(format, new FileStream(_file, FileMode.Create, FileAccess.ReadWrite), gzip);
        await writer.WriteAsync(new("acme/b 1/door,x", null, "state", null), [new(Start, 0, "o,\"p\\"), new(Start + 1, 0, "")], default);
        await writer.WriteAsync(new("acme/b 2/t", "Cel", "gauge", null), [new(Start, 0.1), new(Start + 1, double.PositiveInfinity)], default);
        await writer.WriteAsync(new("acme/b 2/t", "Cel", "gauge", null), [new(Start + 2, -1e300)], default);
        await writer.CompleteAsync(default);
        return writer.Unsayable;
    }

    [Fact]
    public async Task Csv_has_every_sample_with_states_in_a_column_of_their_own()
    {
        Assert.Equal(0, await WriteAsync("csv", gzip: true));
        using var reader = new StreamReader(new GZipStream(File.OpenRead(_file), CompressionMode.Decompress));
        Assert.Equal("""
            series,time,value,state
            acme/b 1/door,x,2017-03-09T00:00:00Z,,"o,""p\"
            acme/b 1/door,x,2017-03-09T00:00:00.000001Z,,""
            acme/b 2/t,2017-03-09T00:00:00Z,0.1,
            acme/b 2/t,2017-03-09T00:00:00.000001Z,∞,
            acme/b 2/t,2017-03-09T00:00:00.000002Z,-1E+300,

            """.Replace("acme/b 1/door,x", "\"acme/b 1/door,x\"", StringComparison.Ordinal).Replace("∞", "Infinity", StringComparison.Ordinal), await reader.ReadToEndAsync());
    }

    [Fact]
    public async Task Line_protocol_escapes_names_and_counts_what_it_cannot_say()
    {
        Assert.Equal(1, await WriteAsync("line"));
        Assert.Equal("""
            door\,x,account=acme,device=b\ 1 state="o,\"p\\" 1489017600000000000
            door\,x,account=acme,device=b\ 1 state="" 1489017600000001000
            t,account=acme,device=b\ 2 value=0.1 1489017600000000000
            t,account=acme,device=b\ 2 value=-1E+300 1489017600000002000

            """, await File.ReadAllTextAsync(_file));
    }

    [Fact]
    public async Task Parquet_is_read_by_another_engine_with_the_same_samples()
    {
        Assert.Equal(0, await WriteAsync("parquet"));
        using var duck = new DuckDBConnection("DataSource=:memory:");
        duck.Open();
        using var command = duck.CreateCommand();
        command.CommandText = $"SELECT string_agg(concat_ws('|', series, epoch_us(ts), value, state), ';') FROM (SELECT * FROM read_parquet('{_file}') ORDER BY series, ts)";
        Assert.Equal($"acme/b 1/door,x|{Start}|o,\"p\\;acme/b 1/door,x|{Start + 1}|;acme/b 2/t|{Start}|0.1;acme/b 2/t|{Start + 1}|inf;acme/b 2/t|{Start + 2}|-1e+300", command.ExecuteScalar());
    }
}
