using Foretier.Tests.Differential;

namespace Foretier.Tests.Unit.Query;

/// <summary>A short run of what scripts/differential does at length. FORETIER_CASES and FORETIER_SEED make it longer, or repeat a case.</summary>
public class DifferentialTests
{
    [Fact]
    public async Task Any_question_over_any_placement_has_the_answer_of_the_plain_samples()
    {
        var cases = int.Parse(Environment.GetEnvironmentVariable("FORETIER_CASES") ?? "25");
        var seed = int.Parse(Environment.GetEnvironmentVariable("FORETIER_SEED") ?? "20170309");
        for (var i = 0; i < cases; i++)
        {
            await DifferentialCase.RunAsync(seed + i, questions: 4);
        }
    }
}
