namespace Drap.Libp2p.Ping;

/// <summary>
/// Pings (libp2p/specs ping): 32 bytes of any kind go there and come back the same, as often as one likes on one stream. This puts one together from pieces, at
/// either end.
/// </summary>
public sealed class PingEcho
{
    /// <summary>The protocol's name.</summary>
    public const string Protocol = "/ipfs/ping/1.0.0";

    /// <summary>Bytes of a ping.</summary>
    public const int Bytes = 32;

    private readonly byte[] ping = new byte[Bytes];
    private int filled;

    /// <summary>Where the bytes that are still missing are to be put; tell <see cref="Filled"/> how many were.</summary>
    public Memory<byte> Missing => ping.AsMemory(filled);

    /// <summary>The whole ping, once <see cref="Filled"/> has said that it is.</summary>
    public ReadOnlyMemory<byte> Whole => ping;

    /// <summary>So many bytes came; true when the ping is whole, and the next may come.</summary>
    public bool Filled(int bytes)
    {
        filled += bytes;
        Invariant.Check(filled <= Bytes);
        if (filled < Bytes)
            return false;
        filled = 0;
        return true;
    }
}
