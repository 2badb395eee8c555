using Foretier.Predict.Models;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Tests.Unit.Updates;

/// <summary>What is not to be taken, each with the reason that an operator reads; what served goes on to serve.</summary>
public class HostileModelTests
{
    public static TheoryData<string, string> Orders => new()
    {
        { "not signed", "not signed" },
        { "changed after signing", "not signed by a key that this box trusts, or was changed since" },
        { "signed by another", "not signed by a key that this box trusts" },
        { "garbage", "not signed by a key that this box trusts" },
        { "signed garbage", "is not readable" },
        { "expired", "has expired on 2016-01-01" },
        { "other contract", "keeps version 2 of its contract, this program version 1" },
        { "newer runtime", "asks for ONNX Runtime 99.0 or newer" },
        { "older version", "volume-lstm 1 is not newer than 2, which this box has had" },
        { "same version", "volume-lstm 2 is not newer than 2, which this box has had" },
        { "other model", "this box takes volume-lstm from afar, nothing else" },
        { "path", "such as cannot be" },
        { "huge", "at most 33554432 are taken" },
    };

    [Theory]
    [MemberData(nameof(Orders))]
    public async Task An_order_that_cannot_be_is_refused_before_anything_is_fetched(string what, string reason)
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        var folder = TinyModel.Write(box.In("published"), 3, Nature.LikeYesterday);
        using var stranger = new Publisher(box.In("stranger.pem"));
        SignedRelease Signed(Func<ModelRelease, ModelRelease> change) => box.Publisher.Sign(folder, change);
        var good = box.Publisher.Sign(folder);
        var release = what switch
        {
            "not signed" => good with { Signature = [] },
            "changed after signing" => good with { Document = (good.AsModel() with { Version = 9 }).ToDocument() },
            "signed by another" => stranger.Sign(folder),
            "garbage" => new([1, 2, 3], [4, 5, 6]),
            "signed garbage" => box.Publisher.Sign([1, 2, 3]),
            "expired" => Signed(one => one with { Expires = new(2016, 1, 1, 0, 0, 0, TimeSpan.Zero) }),
            "other contract" => Signed(one => one with { Contract = 2 }),
            "newer runtime" => Signed(one => one with { OnnxRuntimeMin = "99.0" }),
            "older version" => Signed(one => one with { Version = 1 }),
            "same version" => Signed(one => one with { Version = 2 }),
            "other model" => Signed(one => one with { Id = "access-ranker" }),
            "path" => Signed(one => one with { Files = [new("../../agent", 1, "")] }),
            _ => Signed(one => one with { Files = [new("a", 32 << 20, ""), new("b", 1, "")] }),
        };
        var report = await box.OrderAsync(release, folder);
        Assert.Null(report.Need);
        Assert.Null(box.Model.Trial);
        Assert.Contains(reason, box.Reason, StringComparison.Ordinal);
        Assert.Equal(2, box.Model.Serving!.Version);
    }

    [Fact]
    public async Task A_release_signed_to_step_back_is_taken()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        var folder = TinyModel.Write(box.In("published"), 1, Nature.LikeYesterday);
        await box.OrderAsync(box.Publisher.Sign(folder, one => one with { StepsBack = true }), folder);
        Assert.Equal((1, TrialPhase.Shadow), (box.Model.Trial!.Version, box.Model.Trial.Phase));
    }

    [Fact]
    public async Task A_box_that_trusts_no_key_takes_nothing_and_says_what_to_set()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        box.Options = box.Options with { Certificate = null };
        await box.RestartAsync();
        await box.PublishAsync(3, Nature.LikeYesterday);
        Assert.Contains("FORETIER__UPDATES__CERTIFICATE", box.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fetching_goes_on_where_it_was_after_a_restart_and_only_that_is_brought()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        var folder = TinyModel.Write(box.In("published"), 3, Nature.LikeYesterday, manifest => new(manifest) { ["licence"] = new string('x', 300_000) });
        var release = box.Publisher.Sign(folder);
        var report = await box.OrderAsync(release, folder, parts: 1);
        Assert.Equal(("model.json", 256 << 10), (report.Need!.File, (int)report.Need.Offset));
        await box.RestartAsync();
        Assert.Equal(report.Need, box.Updates.Report().Need);
        // What comes from elsewhere in the file is left.
        Assert.Equal(report.Need, box.Updates.Take("volume-lstm", 3, "model.json", 0, new byte[10]).Need);
        await box.OrderAsync(release, folder);
        Assert.Equal(TrialPhase.Shadow, box.Model.Trial!.Phase);
    }

    [Fact]
    public async Task A_file_that_ends_early_is_refused()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        var folder = TinyModel.Write(box.In("published"), 3, Nature.LikeYesterday);
        var release = box.Publisher.Sign(folder);
        var model = await DamageAsync(folder, content => content[..100]);
        await box.OrderAsync(release, folder);
        Assert.Contains($"model.onnx ends after 100 of its {model.Length} bytes", box.Reason, StringComparison.Ordinal);

        // Put right in the archive, the next order gets it.
        await File.WriteAllBytesAsync(Path.Combine(folder, "model.onnx"), model);
        await box.OrderAsync(release, folder);
        Assert.Equal(TrialPhase.Shadow, box.Model.Trial!.Phase);
    }

    [Fact]
    public async Task A_file_with_a_flipped_bit_is_fetched_anew_once_and_then_refused()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        var folder = TinyModel.Write(box.In("published"), 3, Nature.LikeYesterday);
        var release = box.Publisher.Sign(folder);
        await DamageAsync(folder, content => [.. content[..50], (byte)(content[50] ^ 4), .. content[51..]]);
        await box.OrderAsync(release, folder);
        Assert.Contains("model.onnx is not what was signed", box.Reason, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(box.In("models")));
    }

    [Theory]
    [InlineData(nameof(Nature.Crosses), "its quantiles cross or are negative")]
    [InlineData(nameof(Nature.NotANumber), "numbers that are not finite")]
    [InlineData(nameof(Nature.OtherShape), "other tensors than history")]
    [InlineData(nameof(Nature.Slow), "it gave no answer within 0.5 s")]
    [InlineData(nameof(Nature.Hungry), "MB of memory, of at most 160")]
    [InlineData(nameof(Nature.Crashes), "it ended by signal 8")]
    public async Task A_model_that_misbehaves_does_so_in_a_process_of_its_own_and_is_refused(string nature, string reason)
    {
        string[] agent = [Environment.ProcessPath!, "exec", Path.Combine(AppContext.BaseDirectory, "Foretier.Agent.dll")];
        await using var box = new UpdatedBox(Nature.LikeYesterday, async (folder, child, cancel) => await ChildInference.StartAsync(folder,
            child with { Program = agent, StartWithin = TimeSpan.FromMinutes(2), AnswerWithin = nature == nameof(Nature.Slow) ? TimeSpan.FromSeconds(0.5) : TimeSpan.FromMinutes(2), MemoryBytesMax = 160 << 20 },
            TimeProvider.System, cancel));
        await box.PublishAsync(3, Enum.Parse<Nature>(nature));
        Assert.Null(box.Model.Trial);
        Assert.StartsWith("it did not pass its test", box.Reason, StringComparison.Ordinal);
        Assert.True(box.Reason.Contains(reason, StringComparison.Ordinal), box.Reason);
        Assert.Equal(2, box.Model.Serving!.Version);
    }

    [Fact]
    public async Task A_model_that_answers_otherwise_than_it_was_trained_to_is_refused()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        var golden = Path.Combine(TinyModel.Write(box.In("other"), 3, Nature.Exaggerates), "golden.json");
        var folder = TinyModel.Write(box.In("published"), 3, Nature.LikeYesterday, manifest => new(manifest) { ["golden"] = new GoldenFile("golden.json", Digest(golden)) });
        File.Copy(golden, Path.Combine(folder, "golden.json"), overwrite: true);
        await box.OrderAsync(box.Publisher.Sign(folder), folder);
        Assert.Contains("it answers 'days' otherwise than when it was trained", box.Reason, StringComparison.Ordinal);
    }

    private static string Digest(string file) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)));

    /// <returns>The model as it was.</returns>
    private static async Task<byte[]> DamageAsync(string folder, Func<byte[], byte[]> how)
    {
        var file = Path.Combine(folder, "model.onnx");
        var content = await File.ReadAllBytesAsync(file);
        await File.WriteAllBytesAsync(file, how(content));
        return content;
    }
}
