using Drap.Libp2p.Multiformats;
using Drap.Node.Identity;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Overlay;

/// <summary>The overlay within a process.</summary>
public sealed class MemoryOverlayTests : OverlayCompliance
{
    private readonly OverlayOptions options = new() { Kind = OverlayKind.Memory, Room = new MemoryOverlay() };

    protected override Task<IOverlay> JoinAsync(NodeIdentity identity, IOverlayEvents events, IOverlay[] known) => OverlayFactory.JoinAsync(options, identity, events);
}

/// <summary>The overlay over our own libp2p, on loopback.</summary>
public sealed class Libp2pOverlayTests : OverlayCompliance
{
    protected override Task<IOverlay> JoinAsync(NodeIdentity identity, IOverlayEvents events, IOverlay[] known) => OverlayFactory.JoinAsync(
        new OverlayOptions { Kind = OverlayKind.Libp2p, Bootstrap = [.. known.SelectMany(k => k.Addresses).Select(Multiaddr.Parse)] }, identity, events);
}

/// <summary>What <c>--overlay</c> and the options beside it may say.</summary>
public sealed class OverlayOptionsTests
{
    [Theory]
    [InlineData("memory", OverlayKind.Memory)]
    [InlineData("libp2p", OverlayKind.Libp2p)]
    [InlineData("p2pd:/unix/tmp/p2pd.sock", OverlayKind.P2pd)]
    [InlineData("p2pd:/ip4/127.0.0.1/tcp/4010", OverlayKind.P2pd)]
    public void An_overlay_is_named(string text, OverlayKind kind)
    {
        Assert.True(OverlayOptions.TryParse(text, out OverlayOptions? options, out _));
        Assert.Equal(kind, options.Kind);
        Assert.Equal(kind == OverlayKind.P2pd ? text[5..] : null, options.Daemon?.ToString());
    }

    [Theory]
    [InlineData("tcp", "--overlay tcp: memory, libp2p or p2pd:MULTIADDR is expected, such as p2pd:/unix/tmp/p2pd.sock")]
    [InlineData("p2pd", "--overlay p2pd: memory, libp2p or p2pd:MULTIADDR is expected, such as p2pd:/unix/tmp/p2pd.sock")]
    [InlineData("p2pd:localhost:4010", "--overlay p2pd:localhost:4010: no multiaddr, such as /unix/tmp/p2pd.sock or /ip4/127.0.0.1/tcp/4010")]
    [InlineData("p2pd:/ip4/127.0.0.1/udp/1", "--overlay p2pd:/ip4/127.0.0.1/udp/1: a daemon is reached at /unix/PATH or at an IP address with a TCP port")]
    public void What_names_none_is_said_with_what_is_expected(string text, string expected)
    {
        Assert.False(OverlayOptions.TryParse(text, out _, out string? error));
        Assert.Equal(expected, error);
    }

    [Theory]
    [InlineData("/ip4/192.0.2.1/tcp/4001", false, null)]
    [InlineData("/dns4/example.org/tcp/4001/p2p/12D3KooWAfPDpPRRRBrmqy9is2zjU5srQ4hKuZitiGmh4NTTpS2d", true, null)]
    [InlineData("192.0.2.1:4001", false, "--listen 192.0.2.1:4001: no multiaddr, such as /ip4/192.0.2.1/tcp/4001")]
    [InlineData("/ip4/192.0.2.1/tcp/4001", true, "--listen /ip4/192.0.2.1/tcp/4001: does not end with the peer's name, /p2p/12D3KooW…")]
    [InlineData("/ip4/192.0.2.1/udp/4001", false, "--listen /ip4/192.0.2.1/udp/4001: an IP address or a name with a TCP port is expected, such as /ip4/192.0.2.1/tcp/4001")]
    public void Addresses_are_read_or_their_fault_is_said(string text, bool named, string? expected)
    {
        Assert.Equal(expected is null, OverlayOptions.TryParseAddresses("--listen", [text], named, out _, out string? error));
        Assert.Equal(expected, error);
    }
}
