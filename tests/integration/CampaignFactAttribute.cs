namespace Foretier.Tests.Integration;

/// <summary>A test that takes long, or a machine for itself: its script runs it and says how much by an environment variable; without it is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CampaignFactAttribute : FactAttribute
{
    public CampaignFactAttribute(string variable, string script)
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
        {
            Skip = $"a campaign: {script} runs it";
        }
    }
}
