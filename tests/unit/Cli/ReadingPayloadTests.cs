using System.Globalization;
using System.Text;
using System.Text.Json;
using CsCheck;
using Foretier.Cli;

namespace Foretier.Tests.Unit.Cli;

public sealed class ReadingPayloadTests
{
    [Theory]
    [InlineData("0.0", "0.0")]
    [InlineData("21.50", "21.50")]
    [InlineData("-1e-7", "-1e-7")]
    [InlineData("0.1234567890123456789", "0.1234567890123456789")]
    [InlineData("+5", "5")]
    [InlineData(".5", "0.5")]
    [InlineData("-.5", "-0.5")]
    [InlineData("5.", "5")]
    [InlineData("007.25", "7.25")]
    [InlineData("5.e3", "5e3")]
    public void Digits_stay_as_they_were_written(string text, string json) => Assert.Equal(json, ReadingPayload.Number(text));

    [Theory]
    [InlineData("")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("1e999")]
    [InlineData("12,5")]
    [InlineData("0x10")]
    [InlineData("1 2")]
    public void What_is_no_finite_number_is_none(string text) => Assert.Null(ReadingPayload.Number(text));

    [Fact]
    public void Every_number_survives_the_way_through_json() => Gen.Double.Where(double.IsFinite).Sample(value =>
    {
        var json = ReadingPayload.Number(value.ToString("R", CultureInfo.InvariantCulture))!;
        return BitConverter.DoubleToInt64Bits(JsonDocument.Parse(json).RootElement.GetDouble()) == BitConverter.DoubleToInt64Bits(value);
    });

    [Theory]
    [InlineData("21.5", null, "21.5")]
    [InlineData("true", null, "true")]
    [InlineData("open", null, "\"open\"")]
    [InlineData("\"open\"", null, "\"open\"")]
    [InlineData("NaN", null, "NaN")]
    [InlineData("[[1,2]]", null, "[[1,2]]")]
    [InlineData("21.50", "Cel", "{\"v\":21.50,\"u\":\"Cel\"}")]
    public void A_word_is_published_as_what_it_looks_like(string value, string? unit, string payload) =>
        Assert.Equal(payload, Encoding.UTF8.GetString(PublishCommand.Payload(value, null, unit)));

    [Fact]
    public void A_time_travels_as_rfc_3339_to_the_microsecond() =>
        Assert.Equal("{\"v\":1,\"t\":\"2017-03-08T23:56:17.000001Z\"}", Encoding.UTF8.GetString(PublishCommand.Payload("1", 1489017377000001, null)));
}
