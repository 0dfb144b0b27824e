using System.Runtime.CompilerServices;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>What programs ask of the DHT, in the words of the daemon's protocol.</summary>
internal sealed class DhtRequests(Libp2pHost host, Dht dht)
{
    // Under it the DHT has peers' public keys, for those whose ids are only the hash of theirs.
    private static ReadOnlySpan<byte> KeyNamespace => "/pk/"u8;

    /// <summary>How long a request may take; null if it is none of the DHT.</summary>
    public static TimeSpan? TimeoutOf(DaemonRequest request) => request switch
    {
        DaemonRequest.FindPeer find => find.Timeout,
        DaemonRequest.FindProviders find => find.Timeout,
        DaemonRequest.GetClosestPeers get => get.Timeout,
        DaemonRequest.GetPublicKey get => get.Timeout,
        DaemonRequest.GetValue get => get.Timeout,
        DaemonRequest.SearchValue search => search.Timeout,
        DaemonRequest.PutValue put => put.Timeout,
        DaemonRequest.Provide provide => provide.Timeout,
        _ => null,
    };

    /// <summary>Whether a request gets a row of answers, each a message of its own.</summary>
    public static bool IsRow(DaemonRequest request) => request is DaemonRequest.FindProviders or DaemonRequest.GetClosestPeers or DaemonRequest.SearchValue;

    /// <summary>Answers a request that has one answer.</summary>
    /// <exception cref="Libp2pException">The DHT does not take the question, or what was asked for is not there.</exception>
    public async ValueTask<DaemonResponse> AnswerAsync(DaemonRequest request, CancellationToken ct)
    {
        switch (request)
        {
            case DaemonRequest.FindPeer find:
                KadPeer peer = await dht.FindPeerAsync(find.Peer, ct).ConfigureAwait(false)
                    ?? throw new DaemonException($"nobody who was asked knows where {find.Peer} is");
                return new DaemonResponse { Dht = AnswerOf(peer) };
            case DaemonRequest.GetPublicKey get:
                return new DaemonResponse { Dht = new DhtAnswer.Value(await FindKeyAsync(get.Peer, ct).ConfigureAwait(false)) };
            case DaemonRequest.GetValue get:
                return new DaemonResponse { Dht = new DhtAnswer.Value(await FindValueAsync(get.Key, ct).ConfigureAwait(false)) };
            // The node itself keeps what it puts and provides and goes on telling it: that nobody else has it yet is no failure.
            case DaemonRequest.PutValue put:
                await dht.PutValueAsync(put.Key, put.Value, ct).ConfigureAwait(false);
                return DaemonResponse.Ok;
            case DaemonRequest.Provide provide:
                await dht.ProvideAsync(MultihashOf(provide.Cid), ct).ConfigureAwait(false);
                return DaemonResponse.Ok;
            default:
                throw new DaemonException("that is no question to the DHT");
        }
    }

    /// <summary>Answers a request that has a row of answers, as they are found, without its begin and end.</summary>
    /// <exception cref="Libp2pException">The DHT does not take the question.</exception>
    public async IAsyncEnumerable<DhtAnswer> AnswersAsync(DaemonRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        switch (request)
        {
            case DaemonRequest.FindProviders find:
                await foreach (KadPeer provider in dht.FindProvidersAsync(MultihashOf(find.Cid), find.Count, ct).ConfigureAwait(false))
                    yield return AnswerOf(provider);
                break;
            case DaemonRequest.GetClosestPeers get:
                foreach (KadPeer peer in await dht.FindClosestAsync(get.Key, ct).ConfigureAwait(false))
                    yield return new DhtAnswer.Value(peer.Id.Bytes.ToArray());
                break;
            // The DHT compares what it is told and says the best: there is nothing better to come.
            case DaemonRequest.SearchValue search:
                yield return new DhtAnswer.Value(await FindValueAsync(search.Key, ct).ConfigureAwait(false));
                break;
        }
    }

    private async Task<byte[]> FindValueAsync(byte[] key, CancellationToken ct) =>
        await dht.GetValueAsync(key, ct: ct).ConfigureAwait(false) ?? throw new DaemonException("there is no value at that key");

    private async Task<byte[]> FindKeyAsync(PeerId peer, CancellationToken ct)
    {
        // An identity multihash: the name is the key.
        if (peer.Bytes[0] == Multihash.Identity)
            return peer.Bytes[2..].ToArray();
        if (host.Find(peer) is { } connection)
            return connection.RemoteKey.Encoded.ToArray();
        return await FindValueAsync([.. KeyNamespace, .. peer.Bytes], ct).ConfigureAwait(false);
    }

    private static byte[] MultihashOf(byte[] cid) =>
        ContentId.TryFromBytes(cid, out ContentId? id) ? id.Multihash.ToArray() : throw new DaemonException("what should be a CID is none");

    private static DhtAnswer.Peer AnswerOf(KadPeer peer) =>
        new(new DaemonPeer(peer.Id, [.. peer.Addresses.Take(DaemonProtocol.AddressesMax).Select(address => address.Bytes.ToArray())]));
}
