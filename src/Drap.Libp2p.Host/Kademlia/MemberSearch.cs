using Drap.Libp2p.Kademlia;

namespace Drap.Libp2p.Host.Kademlia;

/// <summary>A search for who stands in a region of the DHT: begins when it is read, and tells each member once, as it answers.</summary>
public sealed class MemberSearch : IAsyncEnumerable<KadPeer>
{
    private readonly IAsyncEnumerable<KadPeer> members;

    internal MemberSearch(Func<Action<KadOutcome.Members>, IAsyncEnumerable<KadPeer>> begin) => members = begin(end => IsWhole = end.IsWhole);

    /// <summary>
    /// Whether the region was searched through, once the last member was read. If not, there are as many as were wanted, or the search gave up,
    /// and there may be more. False before.
    /// </summary>
    public bool IsWhole { get; private set; }

    /// <inheritdoc/>
    public IAsyncEnumerator<KadPeer> GetAsyncEnumerator(CancellationToken cancellationToken = default) => members.GetAsyncEnumerator(cancellationToken);
}
