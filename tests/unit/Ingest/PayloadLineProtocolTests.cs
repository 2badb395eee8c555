using System.Text;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Ingest;

public class PayloadLineProtocolTests
{
    private static readonly long Now = Instant.From(DateTimeOffset.Parse("2017-03-10T00:00:00Z"));
    private const long At = 1_489_017_377_000_000;

    private readonly PayloadDecoder _decoder = new();
    private readonly ReadingList _readings = new();

    [Fact]
    public void A_line_gives_a_reading_for_each_field()
    {
        var readings = Decode("""weather,location=us-midwest temperature=82.5,humidity=71i,ok=true,rain=f,sky="part\"ly cloudy",n=3u 1489017377000000000""");
        Assert.Equal(
            [("weather.temperature@location:us-midwest", 82.5, null), ("weather.humidity@location:us-midwest", 71, null),
             ("weather.ok@location:us-midwest", 1, null), ("weather.rain@location:us-midwest", 0, null),
             ("weather.sky@location:us-midwest", 0, "part\"ly cloudy"), ("weather.n@location:us-midwest", 3, null)],
            readings.Select(r => (Name(r), r.Value, r.State)));
        Assert.All(readings, r => Assert.Equal(At, r.Time));
    }

    [Theory]
    [InlineData("m f=1", "m.f")]
    [InlineData("m,b=2,a=1 f=1", "m.f@a:1@b:2")]
    [InlineData("m,host=boiler-1 f=1", "m.f")]
    [InlineData("m,device=boiler-1 f=1", "m.f")]
    [InlineData("m,device=sda,host=boiler-1 f=1", "m.f@device:sda")]
    [InlineData("m,host=elsewhere f=1", "m.f@host:elsewhere")]
    [InlineData(@"my\ m\,x,t\ k=v\=w f\=1=1", "my%20m%2Cx.f%3D1@t%20k:v%3Dw")]
    [InlineData("a.b c.d=1", "a.b.c%2Ed")]
    [InlineData("a@b,x:y=1@2 c=1", "a%40b.c@x%3Ay:1%402")]
    [InlineData("win,path=C:\\dir f=1", "win.f@path:C%3A%5Cdir")]
    [InlineData("über f=1", "%C3%BCber.f")]
    public void Measurement_field_and_tags_make_the_name(string line, string name) => Assert.Equal(name, Name(Assert.Single(Decode(line))));

    [Theory]
    [InlineData("1489017377")]
    [InlineData("1489017377000")]
    [InlineData("1489017377000000")]
    [InlineData("1489017377000000999")]
    public void Times_are_told_by_their_magnitude(string time) => Assert.Equal(At, Assert.Single(Decode($"m f=1 {time}")).Time);

    [Fact]
    public void Lines_comments_and_line_ends_in_strings()
    {
        var readings = Decode("# a \"comment\n\nm f=\"two\nlines\" 1489017377\r\n  m f=\"x\\\\\" 1489017378\n");
        Assert.Equal(["two\nlines", "x\\"], readings.Select(r => r.State));
        Assert.Equal([At, At + 1_000_000], readings.Select(r => r.Time));
    }

    [Theory]
    [InlineData("m f=1 1489017377\nm f=1 x", RefusalCode.BadTime)]
    [InlineData("m f=1\nm f", RefusalCode.BadPayload)]
    [InlineData("m f=", RefusalCode.BadPayload)]
    [InlineData("m f=1,", RefusalCode.BadPayload)]
    [InlineData("m f=1,f=2", RefusalCode.BadPayload)]
    [InlineData("m f=\"x", RefusalCode.BadPayload)]
    [InlineData("m f=\"x\"y", RefusalCode.BadPayload)]
    [InlineData("m f=1.5i", RefusalCode.BadPayload)]
    [InlineData("m f=-1u", RefusalCode.BadPayload)]
    [InlineData("m f=yes", RefusalCode.BadPayload)]
    [InlineData("m f=NaN", RefusalCode.NotANumber)]
    [InlineData("m f=1e999", RefusalCode.NotANumber)]
    [InlineData("m,a f=1", RefusalCode.BadPayload)]
    [InlineData("m,a= f=1", RefusalCode.BadPayload)]
    [InlineData("m,=b f=1", RefusalCode.BadPayload)]
    [InlineData("m,a=1,a=2 f=1", RefusalCode.BadPayload)]
    [InlineData(",a=1 f=1", RefusalCode.BadPayload)]
    [InlineData("m f=1 5", RefusalCode.BadTime)]
    [InlineData("# only a = comment", RefusalCode.BadPayload)]
    public void A_bad_line_refuses_the_message_with_its_reason(string lines, string code)
    {
        Assert.False(TryDecode(lines, out var refusal));
        Assert.Equal(code, refusal.Code);
        Assert.False(string.IsNullOrWhiteSpace(refusal.Text));
    }

    [Fact]
    public void A_name_that_becomes_too_long_is_refused()
    {
        Assert.Single(Decode($"m,t={new string('x', 122)} f=1"));
        Assert.False(TryDecode($"m,t={new string('x', 123)} f=1", out var refusal));
        Assert.Equal(RefusalCode.BadName, refusal.Code);
    }

    private string Name(Reading reading) => Encoding.UTF8.GetString(_readings.NameOf(reading));

    private Reading[] Decode(string lines)
    {
        Assert.True(TryDecode(lines, out var refusal), refusal.Text);
        return _readings.Readings.ToArray();
    }

    private bool TryDecode(string lines, out Refusal refusal) =>
        _decoder.TryDecode(Encoding.UTF8.GetBytes(lines), false, Now, _readings, out refusal, "boiler-1"u8);
}
