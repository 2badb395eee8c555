using Foretier.Predict.Models;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Tests.Unit.Updates;

/// <summary>A model's way from a router's order to serving, or to the reason why not.</summary>
public class ModelUpdatesTests
{
    [Fact]
    public async Task A_better_model_is_compared_serves_on_probation_and_stays()
    {
        await using var box = new UpdatedBox(Nature.AlwaysTen);
        await box.BeginAsync();
        Assert.Equal((2, "shipped"), (box.Model.Serving!.Version, box.Model.Serving.Source));

        await box.PublishAsync(3, Nature.LikeYesterday);
        Assert.Equal((2, 3, TrialPhase.Shadow), (box.Model.Serving!.Version, box.Model.Trial!.Version, box.Model.Trial.Phase));
        await box.PassAsync(26);
        Assert.Equal(2, box.Model.Serving!.Version);
        Assert.True(box.Model.Trial!.Scores is { Hours: > 250 } scores && scores.Wql < 0.9 * scores.WqlServing);

        await box.PassAsync(1);
        Assert.Equal((3, "release", 2), (box.Model.Serving!.Version, box.Model.Serving.Source, box.Model.Before!.Version));
        Assert.NotNull(box.Model.Serving.ProbationUntil);
        await box.PassAsync(28);
        Assert.Equal((3, null), (box.Model.Serving!.Version, box.Model.Serving.ProbationUntil));
        Assert.Empty(box.Model.Refused);
    }

    [Fact]
    public async Task A_model_that_is_not_better_is_refused_by_its_scores()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.AlwaysTen);
        await box.PassAsync(27);
        Assert.Equal((2, null), (box.Model.Serving!.Version, box.Model.Trial));
        Assert.Contains("not better than the one that serves: wQL", box.Reason, StringComparison.Ordinal);

        // Ordered again, it is not tried again.
        await box.PublishAsync(3, Nature.AlwaysTen);
        Assert.Null(box.Model.Trial);
    }

    [Fact]
    public async Task Last_two_models_are_kept_and_rollback_goes_to_the_one_before()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        var random = new Random(5);
        box.Count = _ => random.Next(7, 14);
        await box.BeginAsync();
        foreach (var version in new[] { 3, 4, 5 })
        {
            await box.PublishAsync(version, Nature.AlwaysTen);
            await box.PublishAsync(version, Nature.AlwaysTen, now: true);
            Assert.Equal(version, box.Model.Serving!.Version);
            await box.PassAsync(28);
            Assert.True(box.Model.Refused.Count == 0, string.Join("; ", box.Model.Refused));
        }
        Assert.Equal((5, 4), (box.Model.Serving!.Version, box.Model.Before!.Version));
        Assert.Equal(2, Directory.GetDirectories(box.In("models")).Length);

        await box.OrderAsync(box.Publisher.Sign(box.In("published-5")), null, RolloutStage.RolledBack);
        Assert.Equal((4, 2), (box.Model.Serving!.Version, box.Model.Before!.Version));
        Assert.Equal("rolled back from above", box.Reason);
        await box.RestartAsync();
        Assert.Equal(4, box.Model.Serving!.Version);
    }

    [Fact]
    public async Task A_model_that_is_bad_on_probation_goes_back_by_itself()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.Exaggerates);
        await box.PublishAsync(3, Nature.Exaggerates, now: true);
        Assert.Equal(3, box.Model.Serving!.Version);
        await box.PassAsync(14);
        Assert.Equal(2, box.Model.Serving!.Version);
        Assert.Contains("bad on probation", box.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_whose_world_has_changed_goes_back()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        var random = new Random(5);
        box.Count = _ => random.Next(7, 14);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.AlwaysTen);
        await box.PassAsync(56);
        Assert.Equal((3, null), (box.Model.Serving!.Version, box.Model.Serving.ProbationUntil));
        box.Count = level => (int)(4 * level);
        await box.PassAsync(48);
        Assert.Equal(2, box.Model.Serving!.Version);
        Assert.Contains("have drifted", box.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_serves_and_is_damaged_on_disk_goes_back_within_the_same_hour()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.LikeYesterday);
        await box.PublishAsync(3, Nature.LikeYesterday, now: true);
        var file = Path.Combine(Directory.GetDirectories(box.In("models")).Single(), "model.onnx");
        var content = await File.ReadAllBytesAsync(file);
        content[^7] ^= 1;
        await File.WriteAllBytesAsync(file, content);
        await using var serving = await box.Updates.StartServingAsync(CancellationToken.None);
        Assert.Equal(2, serving.Manifest.Version);
        Assert.Equal(2, box.Model.Serving!.Version);
        Assert.Contains("is not what its manifest describes", box.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_serves_and_fails_over_and_over_goes_back()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.LikeYesterday);
        await box.PublishAsync(3, Nature.LikeYesterday, now: true);
        box.Failure = new(InferenceFailure.Killed, "it ended by signal 6");
        await box.PassAsync(2);
        Assert.Equal(3, box.Model.Serving!.Version);
        await box.PassAsync(1);
        Assert.Equal(2, box.Model.Serving!.Version);
        Assert.Contains("failed 3 hours in a row: it ended by signal 6", box.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_fails_while_it_is_compared_is_refused_and_the_one_that_serves_goes_on()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.LikeYesterday);
        box.Failure = new(InferenceFailure.Hung, "it gave no answer within 5 s");
        await box.PassAsync(3);
        Assert.Equal((2, null), (box.Model.Serving!.Version, box.Model.Trial));
        Assert.Contains("failed 3 times in a row while it was compared", box.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Paused_nothing_is_fetched_and_nothing_changes_what_serves()
    {
        await using var box = new UpdatedBox(Nature.AlwaysTen);
        await box.BeginAsync();
        var folder = TinyModel.Write(box.In("published-3"), 3, Nature.LikeYesterday);
        var release = box.Publisher.Sign(folder);
        await box.OrderAsync(release, folder, parts: 1);
        var paused = await box.OrderAsync(release, folder, RolloutStage.Paused);
        Assert.Null(paused.Need);
        Assert.Equal(TrialPhase.Fetching, box.Model.Trial!.Phase);

        await box.OrderAsync(release, folder);
        Assert.Equal(TrialPhase.Shadow, box.Model.Trial!.Phase);
        await box.OrderAsync(release, folder, RolloutStage.Paused);
        await box.PassAsync(30);
        Assert.Equal((2, 3), (box.Model.Serving!.Version, box.Model.Trial!.Version));
        await box.OrderAsync(release, folder);
        await box.PassAsync(1);
        Assert.Equal(3, box.Model.Serving!.Version);
    }

    [Fact]
    public async Task Stopped_a_model_on_trial_is_dropped_and_one_that_serves_stays()
    {
        await using var box = new UpdatedBox(Nature.AlwaysTen);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.LikeYesterday);
        var release = box.Publisher.Sign(box.In("published-3"));
        await box.PublishAsync(3, Nature.LikeYesterday, now: true);
        await box.PassAsync(1);
        await box.OrderAsync(release, null, RolloutStage.Stopped);
        Assert.Equal(3, box.Model.Serving!.Version);
    }

    [Fact]
    public async Task Orders_older_than_those_followed_are_not_followed()
    {
        await using var box = new UpdatedBox(Nature.AlwaysTen);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.LikeYesterday);
        box.Updates.Follow(new([new(1, RolloutStage.Stopped, box.Publisher.Sign(box.In("published-3")), false)]));
        Assert.Equal(3, box.Model.Trial!.Version);
    }

    [Fact]
    public async Task A_program_that_comes_with_a_later_model_uses_that()
    {
        await using var box = new UpdatedBox(Nature.AlwaysTen);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.LikeYesterday);
        await box.PublishAsync(3, Nature.LikeYesterday, now: true);
        TinyModel.Write(box.In("shipped/volume-lstm"), 4, Nature.LikeYesterday);
        await box.RestartAsync();
        Assert.Equal((4, "shipped"), (box.Model.Serving!.Version, box.Model.Serving.Source));
    }

    [Fact]
    public async Task What_was_compared_before_a_restart_counts()
    {
        await using var box = new UpdatedBox(Nature.AlwaysTen);
        await box.BeginAsync();
        await box.PublishAsync(3, Nature.LikeYesterday);
        await box.PassAsync(20);
        var before = box.Model.Trial!.Scores!.Hours;
        await box.RestartAsync();
        Assert.Equal(before, box.Model.Trial!.Scores!.Hours);
        await box.PassAsync(10);
        Assert.Equal(3, box.Model.Serving!.Version);
    }
}
