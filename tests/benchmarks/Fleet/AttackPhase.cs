using System.Globalization;
using Foretier.Tests.Benchmarks.Links;

namespace Foretier.Tests.Benchmarks.Fleet;

/// <summary>What answers were like while something was done to the map.</summary>
internal sealed class AttackPhase(string name, bool mayLack)
{
    private readonly List<double> _took = [];
    private readonly int[] _outcomes = new int[3];
    private int _looks, _differed;

    public string Name => name;

    /// <summary>The edge is away for a part of it.</summary>
    public bool MayLack => mayLack;

    public void Count(Outcome outcome, TimeSpan took)
    {
        lock (_outcomes)
        {
            _outcomes[(int)outcome]++;
            _took.Add(took.TotalMilliseconds);
        }
    }

    public void Looked(bool differed)
    {
        lock (_outcomes)
        {
            _looks++;
            _differed += differed ? 1 : 0;
        }
    }

    public override string ToString()
    {
        lock (_outcomes)
        {
            _took.Sort();
            double At(double share) => _took.Count == 0 ? 0 : _took[(int)Math.Min(_took.Count - 1, _took.Count * share)];
            return string.Create(CultureInfo.InvariantCulture,
                $"{name,-34}{_differed,4} of {_looks,-4}{_outcomes[0],8}{_outcomes[1],8}{_outcomes[2],6}{At(0.5),10:0.0}{At(0.95),9:0.0}{At(1),9:0}");
        }
    }
}
