using System.Text;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Ingest;

public class PayloadSenMlTests
{
    private const string Sensor = "urn:dev:ow:10e2073a01080063";
    private static readonly long Now = Instant.From(DateTimeOffset.Parse("2017-03-10T00:00:00Z"));

    private readonly PayloadDecoder _decoder = new();
    private readonly ReadingList _readings = new();

    /// <summary>RFC 8428 §5.1.3.</summary>
    [Fact]
    public void Base_fields_hold_for_the_records_after_them()
    {
        var readings = Decode("""
            [
              {"bn":"urn:dev:ow:10e2073a01080063:","bt":1.276020076001e+09, "bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
              {"n":"current","t":-5,"v":1.2},
              {"n":"current","t":-4,"v":1.3},
              {"n":"current","v":1.7}
            ]
            """);
        Assert.Equal(["voltage", "current", "current", "current"], readings.Select(Name));
        Assert.Equal(["V", "A", "A", "A"], readings.Select(r => r.Unit));
        Assert.Equal([120.1, 1.2, 1.3, 1.7], readings.Select(r => r.Value));
        Assert.Equal([0, -5, -4, 0], readings.Select(r => (r.Time - 1_276_020_076_001_000) / 1e6));
    }

    /// <summary>The same pack as RFC 8428 §6 has it in CBOR, its first two records.</summary>
    [Fact]
    public void Cbor_means_the_same_as_json()
    {
        var bytes = Convert.FromHexString("82" + "a7" + "21" + "781c" + Convert.ToHexString(Encoding.UTF8.GetBytes(Sensor + ":"))
            + "22fb41d303a15b001062" + "236141" + "2005" + "0067766f6c74616765" + "016156" + "02fb405e066666666666"
            + "a3" + "006763757272656e74" + "0624" + "02fb3ff3333333333333");
        var readings = Decode(bytes);
        Assert.Equal(["voltage", "current"], readings.Select(Name));
        Assert.Equal(["V", "A"], readings.Select(r => r.Unit));
        Assert.Equal([120.1, 1.2], readings.Select(r => r.Value));
        Assert.Equal([0, -5], readings.Select(r => (r.Time - 1_276_020_076_001_000) / 1e6));
    }

    [Theory]
    [InlineData("81a2006161 02c48220 19010f", 27.1)]
    [InlineData("81a200616102f94900", 10.0)]
    [InlineData("81a200616102fa41ac0000", 21.5)]
    [InlineData("9fbf00616102 1864ffff", 100)]
    [InlineData("81a200616102 3863", -100)]
    [InlineData("81a2006161 04f5", 1)]
    [InlineData("d9d9f781a2006161 04f4", 0)]
    public void Cbor_numbers_have_many_spellings(string hex, double value) =>
        Assert.Equal(value, Assert.Single(Decode(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)))).Value);

    [Theory]
    [InlineData("""[{"n":"temp","v":1}]""", "temp")]
    [InlineData("""[{"bn":"urn:dev:ow:10e2073a01080063","v":1}]""", "value")]
    [InlineData("""[{"n":"urn:dev:ow:10e2073a01080063:temp","v":1}]""", "temp")]
    [InlineData("""[{"bn":"urn:dev:ow:10e2073a01080063","n":"/temp","v":1}]""", "temp")]
    [InlineData("""[{"bn":"urn:dev:ow:10e2073a010800637","n":":temp","v":1}]""", "urn:dev:ow:10e2073a010800637:temp")]
    [InlineData("""[{"bn":"urn:dev:mac:0024befffe804ff1/","n":"light","v":1}]""", "urn:dev:mac:0024befffe804ff1%2Flight")]
    public void The_measurement_is_the_resolved_name_without_the_device(string pack, string name) => Assert.Equal(name, Name(Assert.Single(Decode(pack))));

    [Theory]
    [InlineData("10e2073a01080063", "temp")]
    [InlineData("ow:10e2073a01080063", "temp")]
    [InlineData("10e2073a0108006", "urn:dev:ow:10e2073a01080063:temp")]
    [InlineData("dev", "urn:dev:ow:10e2073a01080063:temp")]
    public void A_device_may_stand_in_a_name_as_its_urn(string device, string name)
    {
        Assert.True(_decoder.TryDecode("""[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","v":1}]"""u8, namedByTopic: false, Now, _readings, out _, Encoding.UTF8.GetBytes(device)));
        Assert.Equal(name, Name(Assert.Single(_readings.Readings.ToArray())));
    }

    [Fact]
    public void Values_are_numbers_booleans_strings_and_sums()
    {
        var readings = Decode("""
            [{"bv":100,"bs":1000,"n":"a","v":1},{"n":"b","vb":true},{"n":"c","vs":"open"},{"n":"d","s":5,"v":2},{"n":"e","s":7}]
            """);
        Assert.Equal([("a", 101.0, null), ("b", 1, null), ("c", 0, "open"), ("d", 102, null), ("d:sum", 1005, null), ("e:sum", 1007, null)],
            readings.Select(r => (Name(r), r.Value, r.State)));
    }

    [Theory]
    [InlineData("""[{"n":"a","v":1}]""", null)]
    [InlineData("""[{"n":"a","v":1,"t":0}]""", null)]
    [InlineData("""[{"n":"a","v":1,"t":-5}]""", -5_000_000L)]
    [InlineData("""[{"bt":-10,"n":"a","v":1,"t":2.5}]""", -7_500_000L)]
    [InlineData("""[{"n":"a","v":1,"t":1489017600}]""", -86_400_000_000L)]
    public void A_small_time_is_relative_to_now(string pack, long? offset) =>
        Assert.Equal(offset is null ? Reading.Untimed : Now + offset, Assert.Single(Decode(pack)).Time);

    [Fact]
    public void Fields_that_are_not_known_are_stepped_over() =>
        Assert.Equal(1, Assert.Single(Decode("""[{"n":"a","x":{"y":[1,2]},"v":1,"ut":60}]""")).Value);

    [Theory]
    [InlineData("""[{"n":"a","v":1,"must_":1}]""", RefusalCode.BadPayload, "must_")]
    [InlineData("""[{"n":"a","vd":"aGk"}]""", RefusalCode.BadPayload, "vd")]
    [InlineData("""[{"n":"a","v":1,"vs":"x"}]""", RefusalCode.BadPayload, "more than one value")]
    [InlineData("""[{"n":"a","v":1,"v":2}]""", RefusalCode.BadPayload, "twice")]
    [InlineData("""[{"n":"a","v":1},{"n":"a","v":2}]""", RefusalCode.BadPayload, "twice")]
    [InlineData("""[{"n":"a"}]""", RefusalCode.BadPayload, "no value")]
    [InlineData("""[{"bn":"a"}]""", RefusalCode.BadPayload, "no value")]
    [InlineData("[]", RefusalCode.BadPayload, "no value")]
    [InlineData("""[{"v":1}]""", RefusalCode.BadName, "no name")]
    [InlineData("""[{"bver":11,"n":"a","v":1}]""", RefusalCode.BadPayload, "version 11")]
    [InlineData("""[{"n":"a","v":"1"}]""", RefusalCode.BadPayload, "wrong type")]
    [InlineData("""[{"n":"a","v":1e999}]""", RefusalCode.NotANumber, "NaN")]
    [InlineData("""[{"n":"a","bv":1e308,"v":1.7e308}]""", RefusalCode.NotANumber, "NaN")]
    [InlineData("""[{"n":"a","v":1,"u":"a b"}]""", RefusalCode.BadPayload, "not a unit")]
    [InlineData("""[{"n":"a","v":1,"t":268435457}]""", RefusalCode.BadTime, "1978")]
    [InlineData("""[{"n":"a","v":1,"t":1e300}]""", RefusalCode.BadTime, "seconds")]
    [InlineData("""[{"n":"a","v":1}""", RefusalCode.BadPayload, "not JSON")]
    [InlineData("""[{"n":"a","v":1}]x""", RefusalCode.BadPayload, "not JSON")]
    public void A_bad_pack_is_refused_whole_with_its_reason(string pack, string code, string says)
    {
        Assert.False(TryDecode(Encoding.UTF8.GetBytes(pack), out var refusal));
        Assert.Equal(code, refusal.Code);
        Assert.Contains(says, refusal.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Cbor_cut_off_anywhere_is_refused()
    {
        var whole = Convert.FromHexString("82a3006161" + "02fb405e066666666666" + "061a58c0a640" + "a2006162" + "0363616263");
        Assert.Equal(2, Decode(whole).Length);
        for (var length = 1; length < whole.Length; length++)
        {
            Assert.False(TryDecode(whole[..length], out _));
        }
    }

    [Theory]
    [InlineData("9b7fffffffffffffff")]
    [InlineData("81bb7fffffffffffffff")]
    [InlineData("81a100c6c6c6c6c6c6c6c6c661")]
    [InlineData("81a3006161020117" + "9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f")]
    [InlineData("81a200616102c4821a7fffffff01")]
    public void Cbor_that_lies_about_its_size_or_depth_is_refused(string hex) => Assert.False(TryDecode(Convert.FromHexString(hex), out _));

    private string Name(Reading reading) => Encoding.UTF8.GetString(_readings.NameOf(reading));

    private Reading[] Decode(string pack) => Decode(Encoding.UTF8.GetBytes(pack));

    private Reading[] Decode(byte[] pack)
    {
        Assert.True(TryDecode(pack, out var refusal), refusal.Text);
        return _readings.Readings.ToArray();
    }

    private bool TryDecode(byte[] pack, out Refusal refusal) =>
        _decoder.TryDecode(pack, false, Now, _readings, out refusal, Encoding.UTF8.GetBytes(Sensor));
}
