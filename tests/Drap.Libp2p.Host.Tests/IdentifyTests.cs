using Drap.Libp2p.Host.Tests.Daemon;
using Drap.Libp2p.Identify;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>What a host does with what its peers say of themselves, and with those who say it late.</summary>
public sealed class IdentifyTests
{
    /// <summary>As on a machine that starts much at once: whoever waits is let go after 10 s, and what comes then is heard all the same.</summary>
    [Fact]
    public async Task Who_is_late_to_say_what_it_is_is_heard_all_the_same()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var mayAnswer = new TaskCompletionSource();
        // Nor does it push.
        a.Unhandle(IdentifyMessage.PushProtocol);
        b.Unhandle(IdentifyMessage.Protocol);
        b.Handle(IdentifyMessage.Protocol, async stream =>
        {
            await mayAnswer.Task;
            await stream.WriteAndCloseAsync(new IdentifyMessage { AgentVersion = "late", Protocols = ["/late/1"] }.Encode());
        });
        var heard = new Recorder();
        using IDisposable observing = a.Observe(heard);
        PeerConnection connection = await a.ConnectAsync(b);
        await connection.Identified.WaitAsync(Hosts.Patience);
        Assert.Null(a.PeerBook[b.Self].AgentVersion);
        Assert.False(heard.Identified.Task.IsCompleted);
        mayAnswer.SetResult();
        Assert.Equal(b.Self, (await heard.Identified.Task.WaitAsync(Hosts.Patience)).Id);
        Assert.True(a.PeerBook[b.Self].Speaks("/late/1"));
    }

    /// <summary>As between two of which one stood still for longer than the other waits.</summary>
    [Fact]
    public async Task Who_did_not_say_in_time_what_it_is_is_asked_again()
    {
        var time = new SteppedTime();
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { TimeProvider = time });
        await using Libp2pHost b = await Hosts.StartAsync(2);
        a.Unhandle(IdentifyMessage.PushProtocol);
        b.Unhandle(IdentifyMessage.Protocol);
        var asked = new TaskCompletionSource();
        var over = new TaskCompletionSource();
        b.Handle(IdentifyMessage.Protocol, async stream =>
        {
            if (asked.TrySetResult())
                await over.Task;
            else
                await stream.WriteAndCloseAsync(new IdentifyMessage { Protocols = ["/late/1"] }.Encode());
        });
        var heard = new Recorder();
        using IDisposable observing = a.Observe(heard);
        PeerConnection connection = await a.ConnectAsync(b);
        await asked.Task.WaitAsync(Hosts.Patience);
        // All at once, as after standing still: the peer is not held to have been silent.
        time.Advance(TimeSpan.FromSeconds(61));
        await connection.Identified.WaitAsync(Hosts.Patience);
        Assert.Equal(b.Self, (await heard.Identified.Task.WaitAsync(Hosts.Patience)).Id);
        Assert.True(a.PeerBook[b.Self].Speaks("/late/1"));
        over.SetResult();
    }

    /// <summary>Whoever waits for a peer to be identified may count on it that all have heard of it.</summary>
    [Fact]
    public async Task Observers_are_told_before_a_peer_counts_as_identified()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var heard = new Recorder();
        using IDisposable observing = a.Observe(heard);
        PeerConnection connection = await a.ConnectAsync(b);
        await connection.Identified.WaitAsync(Hosts.Patience);
        Assert.True(heard.Identified.Task.IsCompleted);
        Assert.False(heard.WasIdentified);
    }

    private sealed class Recorder : IHostObserver
    {
        /// <summary>Whether the peer counted as identified before this heard of it.</summary>
        public bool WasIdentified { get; private set; }

        public TaskCompletionSource<KnownPeer> Identified { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        void IHostObserver.Identified(PeerConnection connection, KnownPeer peer)
        {
            WasIdentified = connection.Identified.IsCompleted;
            Identified.TrySetResult(peer);
        }
    }
}
