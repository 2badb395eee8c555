namespace Foretier.Agent.Sensors;

/// <summary>A device that was found on its bus and set up. Disposing it lets go of the bus.</summary>
internal interface ISensor : IDisposable
{
    /// <summary>Measures now; may block for as long as the device takes.</summary>
    /// <exception cref="IOException">The device does not answer, or what it sent is damaged.</exception>
    IReadOnlyList<SensorReading> Read();
}

/// <param name="Measurement">Last part of the series' name.</param>
/// <param name="Unit">As SenML (RFC 8428) has it; null where it has none.</param>
internal readonly record struct SensorReading(string Measurement, double Value, string? Unit);
