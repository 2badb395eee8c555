using System.Device.Gpio;

namespace Foretier.Agent.Sensors;

/// <summary>A switch or contact at a GPIO line: 1 while it is on, 0 while it is off.</summary>
internal sealed class SwitchSensor : ISensor
{
    private readonly GpioController _gpio;
    private readonly int _pin;
    private readonly bool _activeLow;

    private SwitchSensor(GpioController gpio, int pin, bool activeLow) => (_gpio, _pin, _activeLow) = (gpio, pin, activeLow);

    public static ISensor Open(SensorOptions options, Board board)
    {
        var gpio = board.Gpio();
        try
        {
            gpio.OpenPin(options.Pin!.Value, options.ActiveLow ? PinMode.InputPullUp : PinMode.InputPullDown);
            return new SwitchSensor(gpio, options.Pin.Value, options.ActiveLow);
        }
        catch
        {
            gpio.Dispose();
            throw;
        }
    }

    public IReadOnlyList<SensorReading> Read() => [new("on", (_gpio.Read(_pin) == PinValue.Low) == _activeLow ? 1 : 0, null)];

    public void Dispose() => _gpio.Dispose();
}
