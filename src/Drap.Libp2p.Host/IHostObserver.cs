using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host;

/// <summary>
/// Hears what happens to connections. Calls come one at a time and in order; the streams of a connection are served after <see cref="Connected"/> has
/// returned. So be short: note it, post it to a loop, and return. Nothing may be thrown.
/// </summary>
public interface IHostObserver
{
    /// <summary>A connection stands, and its gate is passed. <paramref name="isFirst"/>: there was none with this peer.</summary>
    void Connected(PeerConnection connection, bool isFirst)
    {
    }

    /// <summary>A connection is closed. <paramref name="isLast"/>: there is none left with this peer.</summary>
    void Disconnected(PeerConnection connection, bool isLast)
    {
    }

    /// <summary>The peer said what it is, or that something changed; the peer book has it already.</summary>
    void Identified(PeerConnection connection, KnownPeer peer)
    {
    }

    /// <summary>The host is reached elsewhere now: an interface came or went, or a relay.</summary>
    void AddressesChanged(IReadOnlyList<Multiaddr> addresses)
    {
    }

    /// <summary>A handler of ours failed; its stream was reset. Nothing else depends on it.</summary>
    void HandlerFailed(P2pStream stream, Exception failure)
    {
    }
}
