using Foretier.Node.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Node;

public sealed class IntakeTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Intake _intake;
    private int _givenBack;

    public IntakeTests() => _intake = new(_clock, () => Interlocked.Increment(ref _givenBack));

    [Fact]
    public async Task What_a_fleet_that_dials_in_left_is_given_back_once_when_it_is_over()
    {
        for (var edge = 0; edge < 400; edge++)
        {
            _intake.Took(1_000);
            _clock.Advance(TimeSpan.FromMilliseconds(20));
        }
        Assert.Equal(0, _givenBack);
        await PassAsync(() => _givenBack > 0);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(1, _givenBack);
    }

    [Fact]
    public async Task What_never_ends_is_given_back_all_the_same()
    {
        await PassAsync(() =>
        {
            _intake.Took(100_000);
            return _givenBack > 1;
        });
    }

    [Fact]
    public async Task Little_is_left_to_the_collector()
    {
        _intake.Took(99_000);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(0, _givenBack);
        _intake.Took(1_000);
        await PassAsync(() => _givenBack > 0);
        _intake.Took(99_000);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(1, _givenBack);
    }

    private Task PassAsync(Func<bool> isSo) => Eventually.BeAsync(() =>
    {
        _clock.Advance(TimeSpan.FromSeconds(1));
        return isSo();
    });
}
