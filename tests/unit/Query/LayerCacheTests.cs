using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Tests.Unit.Query;

public class LayerCacheTests
{
    [Fact]
    public void What_was_put_is_found_under_its_version_only()
    {
        var cache = new LayerCache<object, int>(1 << 20);
        var layers = new[] { Of(10) };
        cache.Of("file", 1).Put(7, layers);
        Assert.Same(layers, cache.Of("file", 1).Find(7));
        Assert.Null(cache.Of("file", 1).Find(8));
        Assert.Null(cache.Of("other", 1).Find(7));
        Assert.Null(cache.Of("file", 2).Find(7));
        Assert.Null(cache.Of("file", 1).Find(7));
        Assert.Equal(0, cache.Bytes);
    }

    [Fact]
    public void That_a_file_has_nothing_of_a_series_is_known_too()
    {
        var cache = new LayerCache<object, int>(1 << 20);
        cache.Of("file", 1).Put(7, []);
        Assert.Empty(cache.Of("file", 1).Find(7)!);
    }

    [Fact]
    public void It_stays_within_its_bytes_and_keeps_what_was_used_last()
    {
        var cache = new LayerCache<object, int>(100_000);
        for (var file = 0; file < 1_000; file++)
        {
            cache.Of(file, 1).Put(1, [Of(100)]);
            Assert.True(cache.Bytes <= 100_000, $"{cache.Bytes} bytes");
            Assert.NotNull(cache.Of(0, 1).Find(1));
        }
        Assert.True(cache.Bytes > 50_000, $"{cache.Bytes} bytes");
        Assert.NotNull(cache.Of(999, 1).Find(1));
        Assert.Null(cache.Of(1, 1).Find(1));
    }

    [Fact]
    public void What_a_reader_puts_into_a_file_that_had_to_go_does_not_count()
    {
        var cache = new LayerCache<object, int>(100_000);
        var old = cache.Of("file", 1);
        cache.Of("file", 2);
        old.Put(1, [Of(100)]);
        Assert.Equal(0, cache.Bytes);
    }

    [Fact]
    public void None_is_kept_where_there_is_no_room_at_all()
    {
        var cache = new LayerCache<object, int>(0);
        Assert.False(cache.HasRoomFor(1));
        cache.Of("file", 1).Put(1, [Of(100)]);
        Assert.Null(cache.Of("file", 1).Find(1));
        Assert.Equal(0, cache.Bytes);
    }

    private static Layer Of(int count)
    {
        var samples = new SampleColumns();
        for (var i = 0; i < count; i++)
        {
            samples.Add(i * 1_000_003L, i * 1.25);
        }
        return Layer.Of(1, Segment.Open(Segment.Encode(samples).Bytes));
    }
}
