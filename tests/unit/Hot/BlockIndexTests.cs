using CsCheck;
using Foretier.Agent.Hot;

namespace Foretier.Tests.Unit.Hot;

public sealed class BlockIndexTests
{
    [Fact]
    public void It_has_what_commits_have_written_and_not_deleted_in_order_of_time() =>
        Gen.Select(Gen.Int[1, 3], Gen.Long[0, 12], Gen.Bool).Array[1, 8].Array[0, 12].Sample(commits =>
        {
            var index = new BlockIndex([]);
            var model = new SortedDictionary<long, int>();
            for (var version = 1; version <= commits.Length; version++)
            {
                var changes = commits[version - 1].DistinctBy(change => (change.Item1, change.Item2)).ToList();
                var deleted = changes.Where(change => change.Item3).Select(change => StoredBlock.KeyOf(change.Item1, change.Item2)).ToList();
                var written = changes.Where(change => !change.Item3)
                    .Select(change => new StoredBlock(StoredBlock.KeyOf(change.Item1, change.Item2), 0, version, version, [], null)).ToList();
                index.Change(deleted, written);
                deleted.ForEach(key => model.Remove(key));
                written.ForEach(block => model[block.Key] = version);
            }
            return Enumerable.Range(1, 3).All(series =>
            {
                var due = model.Where(block => block.Key >> StoredBlock.SeriesShift == series).ToList();
                var heads = index.Of(series).ToArray();
                return heads.Select(head => (head.Key, head.Count)).SequenceEqual(due.Select(block => (block.Key, block.Value)))
                    && heads.All(head => index.Has(head.Key))
                    && Enumerable.Range(0, 14).All(offset => BlockIndex.CountBefore(heads, offset) == heads.Count(head => head.StartOffset < offset));
            });
        });
}
