using Foretier.Predict.Models;

namespace Foretier.Tests.Unit.Predict.Models;

public class OnnxTelemetryTests
{
    /// <summary>Asked of the C library, as ONNX Runtime does; the framework's own environment would say nothing about that.</summary>
    [Fact]
    public async Task A_session_means_that_telemetry_is_off_for_native_code()
    {
        await using var inference = OnnxInference.Load(ModelFolder.Open(Path.Combine(ModelFolder.Shipped, "volume-lstm")));
        Assert.True(OnnxTelemetry.IsOff);
    }
}
