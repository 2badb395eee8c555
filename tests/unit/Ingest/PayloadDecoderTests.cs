using System.Text;
using CsCheck;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Ingest;

public class PayloadDecoderTests
{
    private static readonly long Now = Instant.From(DateTimeOffset.Parse("2017-03-10T00:00:00Z"));
    private const long At = 1_489_017_377_000_000;

    private static ReadOnlySpan<byte> Alphabet => "{}[]\",:0e-tv\\u "u8;

    private readonly PayloadDecoder _decoder = new();
    private readonly ReadingList _readings = new();

    [Theory]
    [InlineData("21.5", 21.5)]
    [InlineData(" 21.5\r\n", 21.5)]
    [InlineData("-0.0", -0.0)]
    [InlineData("1e-7", 1e-7)]
    [InlineData("0.1", 0.1)]
    [InlineData("1.7976931348623157E308", double.MaxValue)]
    [InlineData("true", 1)]
    [InlineData("false", 0)]
    [InlineData("{\"v\":21.5}", 21.5)]
    [InlineData("{\"v\":true}", 1)]
    public void One_value_without_a_time_waits_for_its_arrival_time(string payload, double value)
    {
        var reading = Assert.Single(Decode(payload));
        Assert.Equal((Reading.Untimed, value, null), (reading.Time, reading.Value, reading.State));
        Assert.True(reading.IsNamedByTopic);
    }

    [Theory]
    [InlineData("\"open\"", "open")]
    [InlineData("\"\"", "")]
    [InlineData("\"a\\\"\\u00e4\\n\"", "a\"ä\n")]
    [InlineData("{\"v\":\"closed\"}", "closed")]
    public void A_quoted_string_is_a_state(string payload, string state) => Assert.Equal(state, Assert.Single(Decode(payload)).State);

    [Theory]
    [InlineData("1489017377")]
    [InlineData("1489017377000")]
    [InlineData("1489017377000000")]
    [InlineData("1489017377000000999")]
    [InlineData("1489017377.0")]
    [InlineData("\"2017-03-08T23:56:17Z\"")]
    [InlineData("\"2017-03-09T00:56:17+01:00\"")]
    [InlineData("\"1489017377\"")]
    public void Times_are_epoch_numbers_by_magnitude_or_rfc_3339(string time)
    {
        Assert.Equal(At, Assert.Single(Decode($$"""{"v":1,"t":{{time}}}""")).Time);
        Assert.Equal(At, Assert.Single(Decode($"[[{time},1]]")).Time);
        Assert.Equal(At, Assert.Single(Decode($$"""{"a":1,"t":{{time}}}""", namedByTopic: false)).Time);
    }

    [Fact]
    public void An_object_gives_value_time_and_unit_in_any_order()
    {
        var reading = Assert.Single(Decode("""{"u":"Cel","t":1489017377,"v":21.5}"""));
        Assert.Equal((At, 21.5, "Cel"), (reading.Time, reading.Value, reading.Unit));
    }

    [Fact]
    public void An_array_takes_objects_and_pairs()
    {
        var readings = Decode("""[{"v":1,"t":1489017377},[1489017378,2],["2017-03-08T23:56:19Z","open"],[1489017380,false]]""");
        Assert.Equal([At, At + 1_000_000, At + 2_000_000, At + 3_000_000], readings.Select(r => r.Time));
        Assert.Equal([1.0, 2, 0, 0], readings.Select(r => r.Value));
        Assert.Equal([null, null, "open", null], readings.Select(r => r.State));
    }

    [Fact]
    public void A_device_topic_takes_a_flat_object_and_one_time_for_all()
    {
        var readings = Decode("""{"temperature":21.5,"door":"open","t":1489017377,"on":true,"a%2Fb":1}""", namedByTopic: false);
        Assert.Equal(["temperature", "door", "on", "a%2Fb"], readings.Select(r => Encoding.UTF8.GetString(_readings.NameOf(r))));
        Assert.All(readings, r => Assert.Equal(At, r.Time));
        Assert.Equal("open", readings[1].State);
    }

    [Theory]
    [InlineData("", RefusalCode.BadPayload, 1)]
    [InlineData("  ", RefusalCode.BadPayload, 1)]
    [InlineData("21.5 C", RefusalCode.BadPayload, 1)]
    [InlineData("21,5", RefusalCode.BadPayload, 1)]
    [InlineData("open", RefusalCode.BadPayload, 1)]
    [InlineData("True", RefusalCode.BadPayload, 1)]
    [InlineData("null", RefusalCode.BadPayload, 1)]
    [InlineData("\"open", RefusalCode.BadPayload, 1)]
    [InlineData("\"\\ud800\"", RefusalCode.BadPayload, 1)]
    [InlineData("{}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"t\":1489017377}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":null}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":{\"a\":1}}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":1,\"x\":2}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":1,\"u\":5}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":1}{\"v\":2}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":1,}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":1,\"v\":2}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":1,\"\\u0076\":2}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":1,\"u\":\"V\",\"u\":\"A\"}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"v\":1,\"u\":\"a b\"}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"t\":1489017377,\"v\":1,\"t\":1489017378}", RefusalCode.BadPayload, 1)]
    [InlineData("[]", RefusalCode.BadPayload, 1)]
    [InlineData("[[]]", RefusalCode.BadPayload, 1)]
    [InlineData("[[1489017377]]", RefusalCode.BadPayload, 1)]
    [InlineData("[[1489017377,1,2]]", RefusalCode.BadPayload, 1)]
    [InlineData("[[[1489017377],1]]", RefusalCode.BadPayload, 1)]
    [InlineData("NaN", RefusalCode.NotANumber, 1)]
    [InlineData("-Infinity", RefusalCode.NotANumber, 1)]
    [InlineData("+inf", RefusalCode.NotANumber, 1)]
    [InlineData("1e999", RefusalCode.NotANumber, 1)]
    [InlineData("{\"v\":NaN}", RefusalCode.NotANumber, 1)]
    [InlineData("{\"v\": -Infinity}", RefusalCode.NotANumber, 1)]
    [InlineData("[[1489017377,NaN]]", RefusalCode.NotANumber, 1)]
    [InlineData("[[1489017377,1],[1489017378,1e999],[1489017379,1]]", RefusalCode.NotANumber, 3)]
    [InlineData("{\"v\":1,\"t\":5}", RefusalCode.BadTime, 1)]
    [InlineData("{\"v\":1,\"t\":-1489017377}", RefusalCode.BadTime, 1)]
    [InlineData("{\"v\":1,\"t\":1e300}", RefusalCode.BadTime, 1)]
    [InlineData("{\"v\":1,\"t\":\"yesterday\"}", RefusalCode.BadTime, 1)]
    [InlineData("{\"v\":1,\"t\":\"2017-03-09T00:56:17\"}", RefusalCode.BadTime, 1)]
    [InlineData("{\"v\":1,\"t\":\"2017-03-11T00:00:01Z\"}", RefusalCode.BadTime, 1)]
    [InlineData("{\"v\":1,\"t\":\"1999-12-31T23:59:59Z\"}", RefusalCode.BadTime, 1)]
    [InlineData("{\"v\":1,\"t\":null}", RefusalCode.BadTime, 1)]
    [InlineData("{\"v\":1,\"t\":[1]}", RefusalCode.BadTime, 1)]
    [InlineData("[[1489017377,1],[5,2],[1489017378,3]]", RefusalCode.BadTime, 3)]
    [InlineData("[1489017377,21.5]", RefusalCode.UntimedArray, 1)]
    [InlineData("[{\"v\":1},{\"v\":2}]", RefusalCode.UntimedArray, 2)]
    public void A_bad_value_is_refused_whole_with_its_reason(string payload, string code, int samples) => Refused(payload, true, code, samples);

    [Theory]
    [InlineData("21.5", RefusalCode.BadPayload, 1)]
    [InlineData("[[1489017377,1]]", RefusalCode.BadPayload, 1)]
    [InlineData("{}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"t\":1489017377}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"a\":{\"b\":1}}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"a\":[1]}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"a\":null}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"a\":1,\"b\":2,\"t\":5}", RefusalCode.BadTime, 2)]
    [InlineData("{\"a\":1,\"b\":1e400}", RefusalCode.NotANumber, 2)]
    [InlineData("{\"a b\":1,\"c\":2}", RefusalCode.BadName, 2)]
    [InlineData("{\"a/b\":1}", RefusalCode.BadName, 1)]
    [InlineData("{\"a\":1,\"b\":2,\"a\":3}", RefusalCode.BadPayload, 3)]
    [InlineData("{\"t\":1489017377,\"a\":1,\"t\":1489017377}", RefusalCode.BadPayload, 1)]
    [InlineData("{\"\":1}", RefusalCode.BadName, 1)]
    [InlineData("{\"a%2\":1}", RefusalCode.BadName, 1)]
    public void A_bad_object_is_refused_whole_with_its_reason(string payload, string code, int samples) => Refused(payload, false, code, samples);

    [Fact]
    public void A_state_may_have_256_bytes_and_no_more()
    {
        Assert.Equal(new string('x', 256), Assert.Single(Decode($"\"{new string('x', 256)}\"")).State);
        Assert.Equal(new string('ä', 128), Assert.Single(Decode($"\"{string.Concat(Enumerable.Repeat("\\u00e4", 128))}\"")).State);
        Refused($"\"{new string('x', 257)}\"", true, RefusalCode.StateTooLong, 1);
        Refused($"\"{new string('ä', 129)}\"", true, RefusalCode.StateTooLong, 1);
        Refused($"\"{new string('x', 100_000)}\"", true, RefusalCode.StateTooLong, 1);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(500)]
    public void A_name_twice_among_many_is_found(int members)
    {
        var names = Enumerable.Range(0, members).Select(i => $"\"m{i}\":{i}").ToList();
        Assert.Equal(members, Decode($"{{{string.Join(',', names)}}}", namedByTopic: false).Length);
        Refused($"{{{string.Join(',', names.Append("\"m7\":0"))}}}", false, RefusalCode.BadPayload, members + 1);
    }

    [Fact]
    public void A_name_longer_than_128_characters_is_refused() =>
        Refused($$"""{"{{new string('a', 129)}}":1}""", false, RefusalCode.BadName, 1);

    [Fact]
    public void Bytes_that_are_no_utf_8_are_refused()
    {
        Assert.False(_decoder.TryDecode([.. "\""u8, 0xC3, 0x28, .. "\""u8], true, Now, _readings, out var refusal));
        Assert.Equal(RefusalCode.BadPayload, refusal.Code);
        Assert.False(_decoder.TryDecode([.. "{\""u8, 0xFF, .. "\":1}"u8], false, Now, _readings, out refusal));
        Assert.Equal(RefusalCode.BadPayload, refusal.Code);
    }

    [Fact]
    public void Every_float64_arrives_bit_for_bit() => Gen.Double.Where(double.IsFinite).Sample(value =>
    {
        var text = value.ToString("R", System.Globalization.CultureInfo.InvariantCulture);
        var (decoder, readings) = (new PayloadDecoder(), new ReadingList());
        Assert.True(decoder.TryDecode(Encoding.UTF8.GetBytes(text), true, Now, readings, out _));
        Assert.Equal(BitConverter.DoubleToInt64Bits(value), BitConverter.DoubleToInt64Bits(readings.Readings[0].Value));
        Assert.True(decoder.TryDecode(Encoding.UTF8.GetBytes($"[[1489017377,{text}]]"), true, Now, readings, out _));
        Assert.Equal(BitConverter.DoubleToInt64Bits(value), BitConverter.DoubleToInt64Bits(readings.Readings[0].Value));
    }, iter: 2_000);

    [Fact]
    public void No_bytes_whatever_make_the_decoder_throw()
    {
        byte[][] seeds =
        [
            .. new[]
            {
                "21.5", "\"op\\u0065n\"", """{"v":21.5,"t":1489017377,"u":"Cel"}""", """[{"v":1,"t":"2017-03-08T23:56:19Z"},[1489017378.5,"x"]]""",
                """{"temperature":21.5,"door":"open","t":1489017377123,"on":true}""",
            }.Select(Encoding.UTF8.GetBytes),
        ];
        var random = new Random(20170309);
        for (var i = 0; i < 20_000; i++)
        {
            var payload = (byte[])seeds[i % seeds.Length].Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
            {
                payload[random.Next(payload.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : Alphabet[random.Next(Alphabet.Length)];
            }
            var cut = payload.AsSpan(0, random.Next(4) == 0 ? random.Next(payload.Length + 1) : payload.Length);
            foreach (var named in (bool[])[true, false])
            {
                var good = _decoder.TryDecode(cut, named, Now, _readings, out var refusal);
                Assert.Equal(good, refusal.IsNone);
                Assert.True(good ? _readings.Count > 0 : refusal.Samples > 0 && refusal.Text.Length > 0);
            }
        }
    }

    private Reading[] Decode(string payload, bool namedByTopic = true)
    {
        var good = _decoder.TryDecode(Encoding.UTF8.GetBytes(payload), namedByTopic, Now, _readings, out var refusal);
        Assert.True(good, refusal.Text);
        return _readings.Readings.ToArray();
    }

    private void Refused(string payload, bool namedByTopic, string code, int samples)
    {
        Assert.False(_decoder.TryDecode(Encoding.UTF8.GetBytes(payload), namedByTopic, Now, _readings, out var refusal));
        Assert.Equal((code, samples), (refusal.Code, refusal.Samples));
        Assert.False(string.IsNullOrWhiteSpace(refusal.Text));
    }
}
