namespace Foretier.Tests.Benchmarks.Segments;

/// <summary>The Mersenne twister as CPython seeds and reads it, so that a fleet made here is the one that other programs make from the same seed.</summary>
internal sealed class PythonRandom
{
    private const int Words = 624;
    private const int Middle = 397;
    private readonly uint[] _state = new uint[Words];
    private int _at = Words;

    public PythonRandom(ulong seed)
    {
        uint[] key = seed >> 32 == 0 ? [(uint)seed] : [(uint)seed, (uint)(seed >> 32)];
        _state[0] = 19650218;
        for (var i = 1; i < Words; i++)
        {
            _state[i] = 1812433253 * (_state[i - 1] ^ (_state[i - 1] >> 30)) + (uint)i;
        }
        var at = 1;
        for (int k = Words, j = 0; k > 0; k--, j = (j + 1) % key.Length)
        {
            _state[at] = (_state[at] ^ ((_state[at - 1] ^ (_state[at - 1] >> 30)) * 1664525)) + key[j] + (uint)j;
            at = Next(at);
        }
        for (var k = Words - 1; k > 0; k--)
        {
            _state[at] = (_state[at] ^ ((_state[at - 1] ^ (_state[at - 1] >> 30)) * 1566083941)) - (uint)at;
            at = Next(at);
        }
        _state[0] = 0x80000000;
    }

    /// <summary>random.random(): 53 bits in [0, 1).</summary>
    public double NextDouble() => ((NextWord() >> 5) * 67108864.0 + (NextWord() >> 6)) / 9007199254740992.0;

    private int Next(int at)
    {
        if (at + 1 < Words)
        {
            return at + 1;
        }
        _state[0] = _state[Words - 1];
        return 1;
    }

    private uint NextWord()
    {
        if (_at == Words)
        {
            for (var i = 0; i < Words; i++)
            {
                var y = (_state[i] & 0x80000000) | (_state[(i + 1) % Words] & 0x7fffffff);
                _state[i] = _state[(i + Middle) % Words] ^ (y >> 1) ^ ((y & 1) * 0x9908b0df);
            }
            _at = 0;
        }
        var word = _state[_at++];
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c5680;
        word ^= (word << 15) & 0xefc60000;
        return word ^ (word >> 18);
    }
}
