namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    private void Recover()
    {
        var samples = new List<IncomingSample>();
        _journal = Journal.Open(_disk, _options, _log, default, (position, bytes) => Replay(position, bytes, samples));
    }

    private void Replay(long position, ReadOnlySpan<byte> bytes, List<IncomingSample> samples)
    {
        var record = new RecordReader(bytes);
        switch ((RecordKind)record.Byte())
        {
            case RecordKind.SeriesDefined:
                var (id, name, unit, kind) = ((int)record.Varint(), record.Text(), record.Text(), record.Text());
                Define(new(id, name, unit.Length == 0 ? null : unit, kind));
                break;
            case RecordKind.Samples:
                samples.Clear();
                SamplesRecord.Read(ref record, samples);
                Apply(position, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(samples), _clock.GetTimestamp());
                _accepted += samples.Count;
                break;
            case RecordKind.Rejected:
                var reason = record.Text();
                _rejected[reason] = _rejected.GetValueOrDefault(reason) + (long)record.Varint();
                break;
            case var other:
                throw new FormatException($"the journal has a record of kind {other}, which this version does not know: start the newer one again");
        }
    }
}
