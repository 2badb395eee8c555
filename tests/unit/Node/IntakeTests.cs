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
    public async Task What_a_fleet_that_dials_in_leaves_is_given_back_time_and_again_and_once_when_it_is_over()
    {
        for (var edge = 0; edge < 400; edge++)
        {
            _intake.Took(1_000);
            _clock.Advance(TimeSpan.FromMilliseconds(20));
        }
        Assert.Equal(8, _givenBack);
        await PassAsync(() => _givenBack > 8);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(9, _givenBack);
    }

    [Fact]
    public async Task What_never_ends_is_given_back_all_the_same()
    {
        var taken = 0;
        await PassAsync(() =>
        {
            // In the time that is waited for the end, more than is few.
            _intake.Took(1_000);
            taken++;
            return _givenBack > taken / 50;
        });
        Assert.InRange(taken, 50, 400);
    }

    [Fact]
    public async Task Little_is_left_to_the_collector()
    {
        _intake.Took(49_000);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(0, _givenBack);
        _intake.Took(1_000);
        await PassAsync(() => _givenBack > 1);
        _intake.Took(49_000);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(2, _givenBack);
    }

    private Task PassAsync(Func<bool> isSo) => Eventually.BeAsync(() =>
    {
        _clock.Advance(TimeSpan.FromSeconds(1));
        return isSo();
    });
}
