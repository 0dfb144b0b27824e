using System.Collections.Immutable;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Multiformats;
using Drap.Node.Overlay.Frames;

namespace Drap.Node.Overlay.P2pd;

/// <summary>
/// Asks a daemon again and again who is connected and who hears the topics that are watched, and connects it to the peers that were named. Each
/// question is a short connection to a program on this machine: some tenths of a millisecond.
/// </summary>
internal sealed class DaemonWatch(DaemonClient daemon, PeerId self, ImmutableArray<Multiaddr> named) : IAsyncDisposable
{
    /// <summary>Time between two looks: who leaves or comes is seen so late at most. A closed stream makes it look at once.</summary>
    private static readonly TimeSpan LookTime = TimeSpan.FromMilliseconds(250);

    /// <summary>A peer that was named and is not connected is dialed so often.</summary>
    private static readonly TimeSpan DialTime = TimeSpan.FromSeconds(2);

    /// <summary>Peers whose protocols are asked for in one look; others have their turn in the next.</summary>
    private const int AskedPerLook = 32;

    private readonly SemaphoreSlim looking = new(1);
    private readonly SemaphoreSlim soon = new(0, 1);
    private readonly CancellationTokenSource stopping = new();
    private readonly HashSet<PeerId> takeFrames = [];
    private volatile Dictionary<string, ImmutableArray<PeerId>> hearers = [];
    private ImmutableArray<PeerId> peers = [];
    private Task running = Task.CompletedTask;
    private Task dialing = Task.CompletedTask;

    /// <summary>The topics that are watched.</summary>
    public required Func<ImmutableArray<string>> Topics { get; init; }

    /// <summary>A peer is connected.</summary>
    public required Action<PeerId> Came { get; init; }

    /// <summary>A peer is connected no more.</summary>
    public required Action<PeerId> Went { get; init; }

    /// <summary>The hearers of topics are known anew.</summary>
    public required Action Looked { get; init; }

    /// <summary>Who is connected, in order.</summary>
    public ImmutableArray<PeerId> Peers => peers;

    /// <summary>Who is connected, hears a topic and takes frames; in no order.</summary>
    public ImmutableArray<PeerId> HearersOf(string topic) => hearers.GetValueOrDefault(topic, []);

    public void Start()
    {
        running = RunAsync();
        if (!named.IsEmpty)
            dialing = DialAsync();
    }

    /// <summary>Looks as soon as it can.</summary>
    public void LookSoon()
    {
        if (soon.CurrentCount == 0)
        {
            try
            {
                soon.Release();
            }
            catch (SemaphoreFullException)
            {
                // Somebody else was faster.
            }
        }
    }

    /// <summary>Looks now, and says whether a peer is connected.</summary>
    public async Task<bool> LookAsync(PeerId peer)
    {
        try
        {
            await LookAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
        return peers.Contains(peer);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await dialing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync()
    {
        for (int failures = 0; ;)
        {
            try
            {
                await LookAsync().ConfigureAwait(false);
                failures = 0;
            }
            catch (Libp2pException)
            {
                // If the daemon is away nobody is connected; once it may only have been too busy to take the question.
                if (++failures > 1)
                    Set([], []);
            }
            await soon.WaitAsync(LookTime, stopping.Token).ConfigureAwait(false);
        }
    }

    private async Task LookAsync()
    {
        await looking.WaitAsync(stopping.Token).ConfigureAwait(false);
        try
        {
            ImmutableArray<PeerId> now = [.. (await daemon.ListPeersAsync(stopping.Token).ConfigureAwait(false)).Select(p => p.Id).Where(p => p != self).Distinct().Order()];
            var heard = new Dictionary<string, ImmutableArray<PeerId>>(StringComparer.Ordinal);
            foreach (string topic in Topics())
                heard[topic] = [.. (await daemon.ListTopicPeersAsync(topic, stopping.Token).ConfigureAwait(false)).Where(p => now.Contains(p)).Distinct()];
            await AskAsync(heard.Values.SelectMany(p => p).Distinct()).ConfigureAwait(false);
            foreach (string topic in heard.Keys)
                heard[topic] = [.. heard[topic].Where(takeFrames.Contains)];
            Set(now, heard);
        }
        finally
        {
            looking.Release();
        }
    }

    /// <summary>Learns who of these takes frames: who only listens is no audience.</summary>
    private async Task AskAsync(IEnumerable<PeerId> candidates)
    {
        foreach (PeerId peer in candidates.Where(p => !takeFrames.Contains(p)).Take(AskedPerLook).ToArray())
        {
            try
            {
                if ((await daemon.GetProtocolsAsync(peer, stopping.Token).ConfigureAwait(false)).Any(FrameDesk.Carriers.Contains))
                    takeFrames.Add(peer);
            }
            catch (DaemonException)
            {
                // It knows nothing of the peer yet.
            }
        }
    }

    private void Set(ImmutableArray<PeerId> now, Dictionary<string, ImmutableArray<PeerId>> heard)
    {
        ImmutableArray<PeerId> before = peers;
        peers = now;
        hearers = heard;
        foreach (PeerId gone in before.Except(now))
        {
            takeFrames.Remove(gone);
            Went(gone);
        }
        foreach (PeerId come in now.Except(before))
            Came(come);
        Looked();
    }

    private async Task DialAsync()
    {
        ILookup<PeerId, Multiaddr> wanted = named.ToLookup(a => a.Peer!.Value, a => a.WithoutPeer()!);
        while (true)
        {
            foreach (IGrouping<PeerId, Multiaddr> peer in wanted.Where(p => p.Key != self && !peers.Contains(p.Key)))
            {
                try
                {
                    await daemon.ConnectAsync(peer.Key, peer, stopping.Token).ConfigureAwait(false);
                    LookSoon();
                }
                catch (DaemonException)
                {
                    // It is tried again.
                }
            }
            await Task.Delay(DialTime, stopping.Token).ConfigureAwait(false);
        }
    }
}
