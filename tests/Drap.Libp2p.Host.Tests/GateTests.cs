using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>A gate speaks before anything else, and lets in whom it likes.</summary>
public sealed class GateTests
{
    [Fact]
    public async Task Who_knows_the_word_comes_in_and_nothing_is_served_before()
    {
        var order = new List<string>();
        var slow = new TaskCompletionSource();
        HostOptions atB = Hosts.Options(2) with
        {
            Gate = new WordGate("sesame", async () =>
            {
                await slow.Task;
                lock (order)
                    order.Add("admitted");
            }),
        };
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { Gate = new WordGate("sesame") });
        await using Libp2pHost b = await Libp2pHost.StartAsync(atB);
        b.Handle(Hosts.Echo[0], stream =>
        {
            lock (order)
                order.Add("served");
            return Hosts.EchoAsync(stream);
        });
        // The dialer's gate says yes as soon as it has heard the word; its first stream waits at the other side until that one has decided.
        await a.ConnectAsync(b);
        Task<byte[]> echo = Task.Run(async () =>
        {
            P2pStream stream = await a.OpenStreamAsync(b.Self, Hosts.Echo);
            await stream.WriteAndCloseAsync(new byte[] { 1, 2, 3 });
            return await stream.ReadToEndAsync();
        });
        Assert.Empty(b.Connections);
        slow.SetResult();
        Assert.Equal([1, 2, 3], await echo.WaitAsync(Hosts.Patience));
        Assert.Equal(["admitted", "served"], order);
        Assert.Single(b.Connections);
    }

    [Theory]
    [InlineData("sesame", "poppy")]
    [InlineData("sesame", null)] // without a gate at all
    [InlineData(null, "sesame")]
    public async Task Who_does_not_stays_outside(string? mine, string? theirs)
    {
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { Gate = mine is null ? null : new WordGate(mine) });
        await using Libp2pHost b = await Libp2pHost.StartAsync(Hosts.Options(2) with { Gate = theirs is null ? null : new WordGate(theirs) });
        bool isServed = false;
        b.Handle(Hosts.Echo[0], stream =>
        {
            isServed = true;
            return Task.CompletedTask;
        });
        if (mine is not null)
        {
            DialException failure = await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(b));
            Assert.Contains("gate", failure.Message, StringComparison.Ordinal);
            Assert.Empty(a.Connections);
        }
        else
        {
            // The dialer knows of no gate; the listener takes its first stream for the gate's, and finds that it is not.
            PeerConnection connection = await a.ConnectAsync(b);
            await connection.Closed.WaitAsync(Hosts.Patience);
        }
        if (theirs is not null)
            Assert.Empty(b.Connections);
        Assert.False(isServed);
    }

    [Fact]
    public async Task A_stranger_speaks_the_one_protocol_that_is_for_strangers_and_nothing_else()
    {
        var door = new DoorGate();
        await using Libp2pHost b = await Libp2pHost.StartAsync(Hosts.Options(2) with { Gate = door });
        bool isServed = false;
        b.Handle(Hosts.Echo[0], stream =>
        {
            isServed = true;
            return Task.CompletedTask;
        });
        var asking = new AskingGate();
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { Gate = asking });
        await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(b));
        Assert.Equal("no", await asking.Answer.WaitAsync(Hosts.Patience));
        Assert.Empty(b.Connections);
        Assert.Empty(a.Connections);
        Assert.False(isServed);
        Assert.Equal(1, door.Strangers);
        Assert.Equal(0, door.Admissions);
    }

    /// <summary>Lets nobody in, and answers strangers.</summary>
    private sealed class DoorGate : IConnectionGate
    {
        public int Strangers, Admissions;

        public string Protocol => "/test/gate/1.0.0";

        public string StrangersProtocol => "/test/door/1.0.0";

        public ValueTask<bool> AdmitAsync(PeerConnection connection, P2pStream stream, CancellationToken ct)
        {
            Interlocked.Increment(ref Admissions);
            return ValueTask.FromResult(false);
        }

        public async ValueTask ServeStrangerAsync(PeerConnection connection, P2pStream stream, CancellationToken ct)
        {
            Interlocked.Increment(ref Strangers);
            byte[] said = await stream.ReadToEndAsync();
            Assert.Equal("please"u8.ToArray(), said);
            await stream.WriteAndCloseAsync("no"u8.ToArray(), ct);
        }
    }

    /// <summary>The other side of the door.</summary>
    private sealed class AskingGate : IConnectionGate
    {
        private readonly TaskCompletionSource<string> answer = new();

        public Task<string> Answer => answer.Task;

        public string Protocol => "/test/door/1.0.0";

        public async ValueTask<bool> AdmitAsync(PeerConnection connection, P2pStream stream, CancellationToken ct)
        {
            await stream.WriteAndCloseAsync("please"u8.ToArray(), ct);
            answer.SetResult(System.Text.Encoding.ASCII.GetString(await stream.ReadToEndAsync()));
            return false;
        }
    }

    private sealed class WordGate(string word, Func<Task>? before = null) : IConnectionGate
    {
        public string Protocol => "/test/gate/1.0.0";

        public async ValueTask<bool> AdmitAsync(PeerConnection connection, P2pStream stream, CancellationToken ct)
        {
            byte[] said = new byte[word.Length * 2];
            await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(word), ct);
            int read = await stream.ReadAsync(said, ct);
            if (before is not null)
                await before();
            return System.Text.Encoding.ASCII.GetString(said, 0, read) == word;
        }
    }
}
