using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Polling;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>How connections' sockets are waited for.</summary>
public sealed class PollingTests
{
    [Fact]
    public async Task Handlers_that_block_their_thread_hold_up_nobody_else()
    {
        // The pool begins with a thread a core, and gets others slowly: those that block here are not to be missed by who does not.
        ThreadPool.GetMinThreads(out int workers, out int ports);
        ThreadPool.SetMinThreads(workers + 8, ports);
        await using Libp2pHost host = await Hosts.StartAsync(1);
        using var release = new ManualResetEventSlim();
        using var entered = new SemaphoreSlim(0);
        host.Handle("/block/1", async stream =>
        {
            Assert.Equal(1, await stream.ReadAsync(new byte[1]));
            entered.Release();
            Assert.True(release.Wait(Hosts.Patience));
        });
        // More than there are threads for sockets, each on a connection of its own.
        var blocked = new List<Libp2pHost>();
        try
        {
            for (int i = 0; i < 5; i++)
            {
                blocked.Add(await Libp2pHost.StartAsync(Hosts.Options(10 + i) with { Listen = [] }));
                await blocked[i].ConnectAsync(host);
                P2pStream stream = await blocked[i].OpenStreamAsync(host.Self, ["/block/1"]);
                await stream.WriteAsync(new byte[1]);
                Assert.True(await entered.WaitAsync(Hosts.Patience));
            }
            await Hosts.AssertServesAsync(host);
        }
        finally
        {
            release.Set();
            foreach (Libp2pHost other in blocked)
                await other.DisposeAsync();
            ThreadPool.SetMinThreads(workers, ports);
        }
    }

    [Fact]
    public async Task The_end_is_seen_that_came_with_the_last_bytes()
    {
        (Socket far, Socket near) = await PairAsync();
        using (far)
        {
            far.Send([1, 2, 3]);
            far.Shutdown(SocketShutdown.Send);
            await Hosts.Until(() => near.Poll(0, SelectMode.SelectRead) && near.Available == 3);
            var link = new SocketLink(near);
            byte[] room = new byte[10];
            Assert.Equal(3, await ReadAsync(link, room));
            Assert.Equal(0, await ReadAsync(link, room));
            link.Close();
        }
    }

    [Fact]
    public async Task What_a_read_has_left_is_there_for_the_next()
    {
        (Socket far, Socket near) = await PairAsync();
        var link = new SocketLink(near);
        using (far)
        {
            far.Send(new byte[3]);
            Assert.Equal(2, await ReadAsync(link, new byte[2]));
            await link.WaitAsync().AsTask().WaitAsync(Hosts.Patience);
            Assert.Equal(1, await link.ReceiveAsync(new byte[2]));
            Assert.Equal(-1, await link.ReceiveAsync(new byte[2]));
            Task<int> next = link.WaitAsync().AsTask();
            far.Send(new byte[1]);
            await next.WaitAsync(Hosts.Patience);
        }
        link.Close();
    }

    [Fact]
    public async Task Who_waits_goes_on_when_the_link_is_closed()
    {
        (Socket far, Socket near) = await PairAsync();
        var link = new SocketLink(near);
        using (far)
        {
            Assert.Equal(-1, await link.ReceiveAsync(new byte[1]));
            Task<int> waiting = link.WaitAsync().AsTask();
            link.Close();
            await waiting.WaitAsync(Hosts.Patience);
            await Assert.ThrowsAsync<SocketException>(async () => await link.WaitAsync());
        }
    }

    [Fact]
    public async Task More_is_sent_than_the_system_takes_at_once()
    {
        (Socket far, Socket near) = await PairAsync();
        var link = new SocketLink(near);
        using (far)
        {
            byte[] sent = new byte[30 << 20];
            new Random(1).NextBytes(sent);
            Task sending = link.SendAsync(sent).AsTask();
            Assert.False(sending.IsCompleted);
            byte[] came = new byte[sent.Length];
            for (int filled = 0; filled < came.Length;)
                filled += await far.ReceiveAsync(came.AsMemory(filled)).AsTask().WaitAsync(Hosts.Patience);
            await sending.WaitAsync(Hosts.Patience);
            Assert.True(came.AsSpan().SequenceEqual(sent));
        }
        link.Close();
    }

    [Fact]
    public async Task A_connection_that_is_refused_says_so()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        // Bound, but nobody listens.
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        SocketException failure = await Assert.ThrowsAsync<SocketException>(
            () => SocketLink.ConnectAsync(socket, taken.LocalEndPoint!, CancellationToken.None).WaitAsync(Hosts.Patience));
        Assert.Equal(SocketError.ConnectionRefused, failure.SocketErrorCode);
    }

    [Fact]
    public async Task Who_waits_goes_on_where_it_is_seen_only_if_both_sides_allow_it()
    {
        foreach ((bool waiterMay, bool finderMay) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            var readiness = new Readiness();
            Task<int> waiting = ThreadAfter(readiness.WaitAsync(waiterMay));
            int here = Environment.CurrentManagedThreadId;
            readiness.Happened(isOver: false, finderMay);
            // Where it does not go on here, it has not gone on when the call is over, or on another thread.
            bool isOver = waiting.IsCompleted;
            int thread = await waiting.WaitAsync(Hosts.Patience);
            Assert.Equal(waiterMay && finderMay, isOver && thread == here);
        }
    }

    [Fact]
    public async Task What_happens_before_anybody_waits_is_told_once_and_an_end_for_ever()
    {
        var readiness = new Readiness();
        readiness.Happened(isOver: false, mayGoOnHere: true);
        readiness.Happened(isOver: false, mayGoOnHere: true);
        Assert.True(readiness.WaitAsync(here: true).AsTask().IsCompletedSuccessfully);
        Task<int> waiting = readiness.WaitAsync(here: true).AsTask();
        Assert.False(waiting.IsCompleted);
        readiness.Happened(isOver: true, mayGoOnHere: true);
        await waiting.WaitAsync(Hosts.Patience);
        for (int i = 0; i < 3; i++)
            Assert.True(readiness.WaitAsync(here: false).AsTask().IsCompletedSuccessfully);
        readiness.Close();
        Assert.True(readiness.WaitAsync(here: false).AsTask().IsFaulted);
    }

    private static async Task<int> ThreadAfter(ValueTask<int> wait)
    {
        await wait.ConfigureAwait(false);
        return Environment.CurrentManagedThreadId;
    }

    private static async Task<int> ReadAsync(SocketLink link, byte[] room)
    {
        while (true)
        {
            int received = await link.ReceiveAsync(room);
            if (received >= 0)
                return received;
            await link.WaitAsync().AsTask().WaitAsync(Hosts.Patience);
        }
    }

    private static async Task<(Socket Far, Socket Near)> PairAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await far.ConnectAsync(listener.LocalEndPoint!);
        return (far, await listener.AcceptAsync());
    }
}
