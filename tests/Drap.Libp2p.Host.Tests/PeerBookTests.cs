using Drap.Libp2p.Envelope;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>A peer's signed word on where it is, that others have passed on.</summary>
public sealed class PeerBookTests
{
    private readonly PeerBook book = new(16, _ => false);

    [Fact]
    public void A_record_counts_if_its_peer_has_signed_it_and_nothing_newer_is_known()
    {
        using PrivateKey key = PrivateKey.FromSeed(Seed(1)), other = PrivateKey.FromSeed(Seed(2));
        PeerId peer = key.PeerId;
        Assert.True(book.TryTakeRecord(peer, Record(key, 5, "/ip4/192.0.2.1/tcp/1")));
        Assert.Equal(["/ip4/192.0.2.1/tcp/1"], Addresses(peer));
        Assert.Equal(5ul, book[peer].RecordSequence);
        // Newer ones come first, older ones and others' change nothing.
        Assert.True(book.TryTakeRecord(peer, Record(key, 6, "/ip4/192.0.2.2/tcp/1")));
        Assert.True(book.TryTakeRecord(peer, Record(key, 5, "/ip4/192.0.2.3/tcp/1")));
        Assert.False(book.TryTakeRecord(peer, Record(other, 7, "/ip4/192.0.2.4/tcp/1")));
        byte[] spoilt = Record(key, 8, "/ip4/192.0.2.5/tcp/1");
        spoilt[^1] ^= 1;
        Assert.False(book.TryTakeRecord(peer, spoilt));
        Assert.False(book.TryTakeRecord(peer, []));
        Assert.Equal(["/ip4/192.0.2.2/tcp/1", "/ip4/192.0.2.1/tcp/1"], Addresses(peer));
        Assert.Equal(6ul, book[peer].RecordSequence);
        Assert.Empty(Addresses(other.PeerId));
    }

    private static byte[] Record(PrivateKey key, ulong sequence, string address) =>
        new PeerRecord(key.PeerId, sequence, [Multiaddr.Parse(address)]).Seal(key).Encoded.ToArray();

    private static byte[] Seed(byte number) => [.. Enumerable.Repeat(number, 32)];

    private string[] Addresses(PeerId peer) => [.. book[peer].Addresses.Select(a => a.ToString())];
}
