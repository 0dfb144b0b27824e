using System.Collections.Concurrent;
using Drap.Libp2p.RequestResponse;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Requests through whatever happens to their connections.</summary>
public sealed class RequestTests
{
    private const string Protocol = "/test/ask/1.0.0";

    [Fact]
    public async Task Answers_come_back_in_every_size()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        using var responder = new Responder(b, Protocol, (_, body, _) => new(body.ToArray().Reverse().ToArray()));
        var requester = new Requester(a, Protocol);
        await a.ConnectAsync(b);
        foreach (int size in new[] { 0, 1, 200, 2047, 2048, 5000, 300_000, 1024 * 1024 })
        {
            byte[] asked = Hosts.Bytes(size, size);
            byte[] answer = await requester.AskAsync(b.Self, asked).WaitAsync(Hosts.Patience);
            Assert.Equal(asked.Reverse(), answer);
        }
        await Assert.ThrowsAsync<ArgumentException>(() => requester.AskAsync(b.Self, new byte[1024 * 1024 + 1]));
    }

    [Fact]
    public async Task Many_at_once_are_each_answered_and_nothing_is_left_behind()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        using var responder = new Responder(b, Protocol, async (_, body, _) =>
        {
            await Task.Yield();
            return body.ToArray();
        });
        var requester = new Requester(a, Protocol);
        await a.ConnectAsync(b);
        await Task.WhenAll(Enumerable.Range(0, 3000).Select(async i =>
            Assert.Equal(i, BitConverter.ToInt32(await requester.AskAsync(b.Self, BitConverter.GetBytes(i)))))).WaitAsync(Hosts.Patience);
        // The last of them may still wait for the other's end.
        await Hosts.Until(() => a.Connections.Single().StreamCount == 0, "the last stream has ended");
    }

    [Fact]
    public async Task A_failure_is_told_and_not_tried_again()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        int asked = 0;
        using var responder = new Responder(b, Protocol, (_, body, _) =>
        {
            Interlocked.Increment(ref asked);
            throw body.Length == 0 ? new RequestFailedException(ResponseStatus.Failed, "nothing to do") : new ArithmeticException("a secret");
        });
        var requester = new Requester(a, Protocol);
        await a.ConnectAsync(b);
        RequestFailedException failure = await Assert.ThrowsAsync<RequestFailedException>(() => requester.AskAsync(b.Self, Array.Empty<byte>()));
        Assert.Equal("nothing to do", failure.Message);
        failure = await Assert.ThrowsAsync<RequestFailedException>(() => requester.AskAsync(b.Self, new byte[1]));
        Assert.Equal("the request failed", failure.Message);
        Assert.Equal(2, asked);
        await Assert.ThrowsAsync<ProtocolRefusedException>(() => new Requester(a, "/no/1").AskAsync(b.Self, Array.Empty<byte>()));
    }

    [Fact]
    public async Task A_request_whose_connection_breaks_is_done_once_and_its_late_answer_comes_over_the_next()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var done = new ConcurrentBag<int>();
        var begun = new SemaphoreSlim(0);
        var goOn = new TaskCompletionSource();
        using var responder = new Responder(b, Protocol, async (_, body, _) =>
        {
            int number = BitConverter.ToInt32(body.Span);
            done.Add(number);
            begun.Release();
            await goOn.Task;
            return BitConverter.GetBytes(number * 2);
        });
        var requester = new Requester(a, Protocol);
        await a.ConnectAsync(b);
        Task<byte[]>[] asking = [.. Enumerable.Range(0, 20).Select(i => requester.AskAsync(b.Self, BitConverter.GetBytes(i)))];
        for (int i = 0; i < 20; i++)
            Assert.True(await begun.WaitAsync(Hosts.Patience));
        // The connection goes while all are under way; the askers come back over another one, and find their requests being done.
        await b.DisconnectAsync(a.Self).WaitAsync(Hosts.Patience);
        await a.ConnectAsync(b);
        goOn.SetResult();
        byte[][] answers = await Task.WhenAll(asking).WaitAsync(Hosts.Patience);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => i * 2), answers.Select(x => BitConverter.ToInt32(x)));
        Assert.Equal(Enumerable.Range(0, 20), done.Order());
    }

    [Fact]
    public async Task A_peer_that_falls_silent_is_left_and_found_again()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        using var responder = new Responder(b, Protocol, (_, body, _) => new(body.ToArray()));
        // A wire that can be cut without anybody being told.
        await using var wire = new Wire(b.ListenAddresses[0]);
        var requester = new Requester(a, Protocol, new RequestOptions { SilenceAfter = TimeSpan.FromMilliseconds(200), FirstWait = TimeSpan.FromMilliseconds(10) });
        await a.ConnectAsync(b.Self, [wire.Address]).WaitAsync(Hosts.Patience);
        Assert.Equal(3, (await requester.AskAsync(b.Self, new byte[3]).WaitAsync(Hosts.Patience)).Length);
        wire.Freeze();
        a.PeerBook.AddAddresses(b.Self, b.ListenAddresses);
        Assert.Equal(5, (await requester.AskAsync(b.Self, new byte[5]).WaitAsync(Hosts.Patience)).Length);
        Assert.Equal(b.ListenAddresses[0], a.Find(b.Self)!.RemoteAddress);
    }

    [Fact]
    public async Task What_is_slow_is_waited_for_and_what_takes_too_long_is_not()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var goOn = new TaskCompletionSource();
        int asked = 0;
        using var responder = new Responder(b, Protocol, async (_, _, ct) =>
        {
            Interlocked.Increment(ref asked);
            await goOn.Task.WaitAsync(ct);
            return new byte[1];
        });
        // A second is long for a peer on the same machine to say that it lives, however busy that is.
        var options = new RequestOptions { SilenceAfter = TimeSpan.FromSeconds(1), Timeout = TimeSpan.FromSeconds(2.5) };
        var requester = new Requester(a, Protocol, options);
        PeerConnection connection = await a.ConnectAsync(b);
        Libp2pException failure = await Assert.ThrowsAsync<Libp2pException>(() => requester.AskAsync(b.Self, Array.Empty<byte>()).WaitAsync(Hosts.Patience));
        Assert.StartsWith("no answer within 2.5 s", failure.Message, StringComparison.Ordinal);
        Assert.True(connection.IsOpen);
        Assert.Equal(1, asked);
        using var stop = new CancellationTokenSource();
        Task<byte[]> cancelled = requester.AskAsync(b.Self, Array.Empty<byte>(), stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.WaitAsync(Hosts.Patience));
        goOn.SetResult();
    }

    [Fact]
    public async Task Nobody_there_fails_after_the_attempts()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1);
        var options = new RequestOptions { AttemptsMax = 3, FirstWait = TimeSpan.FromMilliseconds(1) };
        Libp2pException failure = await Assert.ThrowsAsync<Libp2pException>(
            () => new Requester(a, Protocol, options).AskAsync(Hosts.Key(9).PeerId, Array.Empty<byte>()).WaitAsync(Hosts.Patience));
        Assert.StartsWith("no answer in 3 attempts", failure.Message, StringComparison.Ordinal);
    }
}
