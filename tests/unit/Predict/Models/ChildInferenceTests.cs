using System.Diagnostics;
using Foretier.Predict.Models;

namespace Foretier.Tests.Unit.Predict.Models;

/// <summary>With real child processes: the agent, started as one; and programs that are none.</summary>
public class ChildInferenceTests
{
    private static readonly string Model = Path.Combine(ModelFolder.Shipped, "volume-lstm");

    /// <summary>The agent beside these tests, run by the host that runs them.</summary>
    private static ChildOptions Agent(string program = "Foretier.Agent") => new()
    {
        Program = [Environment.ProcessPath!, "exec", Path.Combine(AppContext.BaseDirectory, program + ".dll")],
        // A machine that builds and tests at once is slow to start anything.
        StartWithin = TimeSpan.FromMinutes(2),
        AnswerWithin = TimeSpan.FromMinutes(2),
    };

    private static Task<ChildInference> StartAsync(ChildOptions options) => ChildInference.StartAsync(Model, options, TimeProvider.System, CancellationToken.None);

    [Theory]
    [InlineData("Foretier.Agent")]
    [InlineData("Foretier.Gateway")]
    public async Task Answers_as_the_model_in_this_process_does(string program)
    {
        var folder = ModelFolder.Open(Model);
        await using var inProcess = OnnxInference.Load(folder);
        await using var child = await StartAsync(Agent(program));
        Assert.Equal(folder.Manifest.Sha256, child.Manifest.Sha256);
        foreach (var vector in folder.ReadGolden())
        {
            var expected = await inProcess.RunAsync(vector.Inputs, CancellationToken.None);
            Assert.Equal(expected.Values, (await child.RunAsync(vector.Inputs, CancellationToken.None)).Values);
        }
        Assert.InRange(child.Usage.PeakBytes, 10 << 20, 150 << 20);
        Assert.True(child.Usage.Processor > TimeSpan.Zero);
    }

    [Fact]
    public async Task Killed_between_two_batches_it_says_so_and_goes_on_saying_so()
    {
        await using var child = await StartAsync(Agent());
        await child.RunAsync(Batch(1), CancellationToken.None);
        Process.GetProcessById(child.ProcessId).Kill();
        var e = await Assert.ThrowsAsync<InferenceException>(() => child.RunAsync(Batch(1), CancellationToken.None));
        Assert.Equal(InferenceFailure.Killed, e.Failure);
        Assert.Contains("by signal 9", e.Message, StringComparison.Ordinal);
        Assert.Equal(InferenceFailure.Killed, (await Assert.ThrowsAsync<InferenceException>(() => child.RunAsync(Batch(1), CancellationToken.None))).Failure);
    }

    [Fact]
    public async Task Killed_in_the_middle_of_a_long_question_it_fails_that_question()
    {
        await using var child = await StartAsync(Agent());
        var asked = child.RunAsync(Batch(20_000), CancellationToken.None);
        Process.GetProcessById(child.ProcessId).Kill();
        Assert.Equal(InferenceFailure.Killed, (await Assert.ThrowsAsync<InferenceException>(() => asked)).Failure);
    }

    [Fact]
    public async Task A_child_that_stands_still_is_ended_at_the_deadline()
    {
        await using var child = await StartAsync(Agent() with { AnswerWithin = TimeSpan.FromMilliseconds(200) });
        using var stop = Process.Start("kill", ["-STOP", child.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await stop.WaitForExitAsync();
        var e = await Assert.ThrowsAsync<InferenceException>(() => child.RunAsync(Batch(1), CancellationToken.None));
        Assert.Equal(InferenceFailure.Hung, e.Failure);
        Assert.Contains("no answer within 0.2 s", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(InferenceFailure.Hung, "sh", "-c", "exec sleep 600")]
    [InlineData(InferenceFailure.Garbage, "sh", "-c", "echo hello; exec sleep 600")]
    [InlineData(InferenceFailure.Garbage, "sh", "-c", "cat")]
    [InlineData(InferenceFailure.Garbage, "sh", "-c", "cat /dev/urandom")]
    [InlineData(InferenceFailure.Killed, "sh", "-c", "kill -ABRT $$")]
    [InlineData(InferenceFailure.Killed, "sh", "-c", "echo out of luck >&2; exit 3")]
    [InlineData(InferenceFailure.Missing, "/nonexistent/program")]
    public async Task What_is_no_inference_child_fails_by_name(InferenceFailure failure, params string[] program)
    {
        var within = failure == InferenceFailure.Hung ? TimeSpan.FromMilliseconds(200) : TimeSpan.FromMinutes(2);
        var e = await Assert.ThrowsAsync<InferenceException>(() => StartAsync(new() { Program = program, StartWithin = within }));
        Assert.Equal(failure, e.Failure);
        Assert.Contains(program[^1] switch
        {
            "kill -ABRT $$" => "by signal 6",
            "echo out of luck >&2; exit 3" => "with exit code 3: out of luck",
            "/nonexistent/program" => "cannot be started (/nonexistent/program)",
            _ => failure == InferenceFailure.Hung ? "no answer within" : "garbage",
        }, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_model_no_child_is_started()
    {
        var e = await Assert.ThrowsAsync<InferenceException>(() => ChildInference.StartAsync("/nonexistent", new() { Program = ["/nonexistent/program"] }, TimeProvider.System, CancellationToken.None));
        Assert.Equal(InferenceFailure.Missing, e.Failure);
        Assert.Contains("no model can be read", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_child_that_takes_too_much_memory_is_ended()
    {
        await using var child = await StartAsync(Agent() with { MemoryBytesMax = 1 << 20 });
        var e = await Assert.ThrowsAsync<InferenceException>(() => child.RunAsync(Batch(1), CancellationToken.None));
        Assert.Equal(InferenceFailure.Killed, e.Failure);
        Assert.Contains("MB of memory, of at most 1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_gets_no_secrets_and_no_telemetry_and_goes_first_when_memory_is_short()
    {
        Environment.SetEnvironmentVariable("SECRET_OF_A_TEST", "secret");
        await using var child = await StartAsync(Agent());
        Environment.SetEnvironmentVariable("SECRET_OF_A_TEST", null);
        var process = $"/proc/{child.ProcessId}";
        var environment = File.ReadAllText($"{process}/environ").Split('\0');
        Assert.DoesNotContain(environment, entry => entry.Contains("SECRET", StringComparison.Ordinal) || entry.StartsWith("FORETIER", StringComparison.OrdinalIgnoreCase));
        Assert.Contains("ORT_DISABLE_TELEMETRY=1", environment);
        Assert.Equal("1000", File.ReadAllText($"{process}/oom_score_adj").Trim());
        // What reports home opens sockets.
        Assert.DoesNotContain(Directory.GetFiles($"{process}/fd").Select(fd => new FileInfo(fd).LinkTarget), target => target?.StartsWith("socket:", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task It_ends_with_the_cycle()
    {
        var child = await StartAsync(Agent());
        using var process = Process.GetProcessById(child.ProcessId);
        await child.DisposeAsync();
        Assert.True(process.HasExited);
    }

    private static Tensor[] Batch(int rows) => [new(new float[rows * 672], [rows, 672]), new(new float[rows * 192 * 4], [rows, 192, 4])];
}
