using System.Reflection;
using Foretier.Tests.Fuzz;

namespace Foretier.Tests.Unit.Ingest;

/// <summary>The fast part of <c>scripts/fuzz</c>, and what it once found.</summary>
public class PayloadFuzzTests
{
    [Theory]
    [InlineData("mqtt")]
    [InlineData("payload")]
    public void No_bytes_whatever_break_a_decoder(string group)
    {
        var targets = FuzzTarget.All().Where(t => t.Group == group).ToList();
        var result = new FuzzCampaign(20170309, TimeProvider.System).Run(targets, 10_000);
        Assert.True(result.Failure is null, result.Failure);
        // Mutations that are never accepted would prove little.
        Assert.InRange(result.Accepted, 1_000, 9_000);
    }

    [Fact]
    public void Valid_seeds_are_accepted()
    {
        foreach (var target in FuzzTarget.All().Where(t => t.Name is "measurement" or "object" or "line" or "topic"))
        {
            Assert.All(target.Seeds, seed => Assert.True(target.Run(seed), $"{target.Name}: {Convert.ToHexString(seed)}"));
        }
    }

    /// <summary>Each file of the corpus is TARGET-anything.hex.</summary>
    [Fact]
    public void What_once_broke_a_decoder_does_so_no_more()
    {
        var targets = FuzzTarget.All().ToDictionary(t => t.Name);
        foreach (var file in Directory.GetFiles(Path.Combine(Path.GetDirectoryName(Assembly.GetExecutingAssembly().Location)!, "Ingest", "corpus"), "*.hex"))
        {
            var target = targets[Path.GetFileName(file).Split('-')[0]];
            target.Run(Convert.FromHexString(File.ReadAllText(file).Trim()));
        }
    }
}
