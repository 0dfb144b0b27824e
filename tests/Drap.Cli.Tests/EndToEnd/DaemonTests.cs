using System.Diagnostics;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary><c>drap p2pd</c> as a program starts it.</summary>
public sealed class DaemonTests
{
    private const int Interrupt = 2, Terminate = 15;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public async Task It_says_who_it_is_serves_and_ends_in_order(int signal)
    {
        await using var drap = new DrapProgram();
        using var key = PrivateKey.FromSeed([.. Enumerable.Repeat((byte)7, PrivateKey.SeedBytes)]);
        string keyFile = Path.Combine(drap.Folder, "node.key"), socket = Path.Combine(drap.Folder, "d.sock");
        await File.WriteAllBytesAsync(keyFile, key.Encode(), Cancel);
        using Process process = drap.Start(false, "p2pd", "--control", "/unix" + socket, "--listen", "/ip4/127.0.0.1/tcp/0", "--key", "node.key");
        Task<string> error = process.StandardError.ReadToEndAsync(Cancel);
        Assert.Equal($"Control socket: /unix{socket}", await process.StandardOutput.ReadLineAsync(Cancel));
        Assert.Equal($"Peer ID: {key.PeerId}", await process.StandardOutput.ReadLineAsync(Cancel));
        Assert.Equal("Peer Addrs:", await process.StandardOutput.ReadLineAsync(Cancel));
        string address = (await process.StandardOutput.ReadLineAsync(Cancel))!;

        await using (var client = new DaemonClient(Multiaddr.FromUnix(socket)))
        {
            DaemonPeer self = await client.IdentifyAsync(Cancel);
            Assert.Equal((key.PeerId, address), (self.Id, Assert.Single(self.ReadAddresses()).ToString()));
        }
        Assert.Equal(0, DrapProgram.Signal(process.Id, signal));
        DrapProgram.Ended ended = await DrapProgram.EndAsync(process, process.StandardOutput.ReadToEndAsync(Cancel), error);
        Assert.Equal((0, "", ""), (ended.Code, ended.Out, ended.Err));
        Assert.False(File.Exists(socket));
    }

    [Fact]
    public async Task What_it_cannot_listen_on_or_read_is_an_error()
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended taken = await drap.RunAsync("p2pd", "--control", "/unix/no/such/folder/d.sock");
        Assert.Equal(1, taken.Code);
        Assert.Contains("cannot listen at /unix/no/such/folder/d.sock", taken.Err, StringComparison.Ordinal);
        drap.File("bad.key", "no key");
        DrapProgram.Ended bad = await drap.RunAsync("p2pd", "--control", "/unix/tmp/d.sock", "--key", "bad.key");
        Assert.Equal(2, bad.Code);
        Assert.Contains("holds no private key in libp2p's protobuf form", bad.Err, StringComparison.Ordinal);
    }
}
