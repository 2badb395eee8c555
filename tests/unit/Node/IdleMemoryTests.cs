using Foretier.Agent;

namespace Foretier.Tests.Unit.Node;

public sealed class IdleMemoryTests : IDisposable
{
    private readonly IdleMemory _memory;
    private long _allocated;
    private int _collections;

    public IdleMemoryTests() => _memory = new(TimeProvider.System, () => _allocated, () => _collections++);

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void What_an_idle_agent_leaves_behind_is_given_back_once_it_is_worth_a_collection()
    {
        After(megabytes: 0.6);
        Assert.Equal(0, _collections);

        After(megabytes: 0.6);
        Assert.Equal(1, _collections);

        After(megabytes: 0.6);
        Assert.Equal(1, _collections);
    }

    [Fact]
    public void A_busy_agent_is_not_held_up_and_is_tidied_when_it_has_become_quiet()
    {
        After(megabytes: 500);
        After(megabytes: 6);
        Assert.Equal(0, _collections);

        After(megabytes: 0);
        Assert.Equal(1, _collections);
    }

    private void After(double megabytes)
    {
        _allocated += (long)(megabytes * (1 << 20));
        _memory.Look();
    }
}
