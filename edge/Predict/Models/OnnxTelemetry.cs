using System.Runtime.InteropServices;

namespace Foretier.Predict.Models;

/// <summary>
/// ONNX Runtime reports to its maker unless told otherwise before its first call (since 1.29, on Linux too: a device id on disk, an uploader, events).
/// Nothing of it leaves a site, so it is told before the library is loaded, and no session is made where that did not hold.
/// </summary>
internal static partial class OnnxTelemetry
{
    /// <summary>Read by the library once, when it begins; with it set neither uploader nor device id come to be.</summary>
    public const string Variable = "ORT_DISABLE_TELEMETRY";

    /// <summary>Whether the library would find it turned off.</summary>
    public static bool IsOff => (OperatingSystem.IsWindows() ? Environment.GetEnvironmentVariable(Variable) : Marshal.PtrToStringUTF8(GetEnv(Variable))) == "1";

    /// <exception cref="InferenceException">It could not be turned off: then nothing may run.</exception>
    public static void TurnOff()
    {
        // On Unix the framework keeps an environment of its own; native code sees only that of the C library.
        Environment.SetEnvironmentVariable(Variable, "1");
        if (!OperatingSystem.IsWindows() && !IsOff)
        {
            _ = SetEnv(Variable, "1", 1);
        }
        if (!IsOff)
        {
            throw new InferenceException(InferenceFailure.Refused, $"the telemetry of ONNX Runtime cannot be turned off here; set {Variable}=1 in the environment of this program");
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint GetEnv(string name);
}
