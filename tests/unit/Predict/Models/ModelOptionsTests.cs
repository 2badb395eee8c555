using System.Globalization;
using Foretier.Agent.Updates;
using Foretier.Predict.Models;
using Foretier.Tests.Unit.Updates;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Predict.Models;

/// <summary>How long a model's process may take to start is a setting, since slow boards differ.</summary>
public class ModelOptionsTests
{
    [Theory]
    [InlineData("00:00:01", true)]
    [InlineData("00:10:00", true)]
    [InlineData("00:00:00.9", false)]
    [InlineData("00:10:01", false)]
    public void A_start_within_nothing_or_within_hours_is_refused_by_the_name_of_the_setting(string within, bool isPossible)
    {
        var options = new ModelOptions { StartWithin = TimeSpan.Parse(within, CultureInfo.InvariantCulture) };
        if (isPossible)
        {
            Assert.Same(options, options.Validated());
        }
        else
        {
            Assert.Contains("Models:StartWithin must lie within 1 s and 10 min", Assert.Throws<ArgumentException>(options.Validated).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_model_that_serves_gets_the_time_that_is_set()
    {
        var folder = Directory.CreateTempSubdirectory("foretier-models-").FullName;
        try
        {
            TinyModel.Write(Path.Combine(folder, "volume-lstm"), 2, Nature.AlwaysTen);
            var asked = new List<ChildOptions>();
            await using var updates = new ModelUpdates(new(), Path.Combine(folder, "kept"), new() { Directory = folder, StartWithin = TimeSpan.FromMinutes(5) },
                TimeProvider.System, NullLogger<ModelUpdates>.Instance, (model, child, _) =>
                {
                    asked.Add(child);
                    return Task.FromResult<IInference>(OnnxInference.Load(ModelFolder.Open(model)));
                });
            await using var model = await updates.StartServingAsync(CancellationToken.None);
            Assert.Equal(TimeSpan.FromMinutes(5), Assert.Single(asked).StartWithin);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
