using System.Buffers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;

namespace Foretier.Node.Link;

/// <summary>
/// What a node at the upper end of links receives and sends in: blocks of 64 KB. Kestrel's own have 4 KB, and each of them is a call into the system and
/// a thread to be woken at every stage of a link; answers to questions have some ten thousand bytes. A connection that waits for data has none.
/// </summary>
public static class LinkBuffers
{
    private const int BlockBytes = 64 << 10;

    public static void UseLinkBuffers(this WebApplicationBuilder builder) => builder.Services.AddSingleton<IMemoryPoolFactory<byte>, Factory>();

    private sealed class Factory : IMemoryPoolFactory<byte>
    {
        public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool();
    }

    private sealed class Pool : MemoryPool<byte>
    {
        public override int MaxBufferSize => Shared.MaxBufferSize;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Shared.Rent(Math.Max(minBufferSize, BlockBytes));

        protected override void Dispose(bool disposing)
        {
            // All is borrowed.
        }
    }
}
