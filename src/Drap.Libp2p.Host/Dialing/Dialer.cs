using System.Net.Sockets;
using Drap.Libp2p.Dialing;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Dialing;

/// <summary>
/// Reaches peers: one dial a peer however many ask for it, over all its addresses as <see cref="DialPlan{T}"/> says, within the host's limits.
/// </summary>
internal sealed class Dialer(ConnectionHub hub, AddressDialer addresses, PeerBook book) : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<PeerId, Dial> dials = [];
    private readonly DialBackoff backoff = new();
    private readonly SemaphoreSlim slots = new(hub.Limits.DialsMax);
    private readonly CancellationTokenSource stopping = new();
    private int underWay;
    private bool isStopped;

    private sealed class Dial(CancellationTokenSource stop)
    {
        public readonly TaskCompletionSource<PeerConnection> Result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public readonly CancellationTokenSource Stop = stop;
        public int Askers;
    }

    /// <summary>
    /// A connection with the peer: the one that stands, or a new one. Addresses that are given are dialed in any case, those of the peer book unless they
    /// failed a while ago. Cancelling ends the dial when nobody else waits for it.
    /// </summary>
    public Task<PeerConnection> ConnectAsync(PeerId peer, IReadOnlyList<Multiaddr> given, CancellationToken ct) =>
        ConnectAsync(peer, given, isRelay: false, ct);

    /// <summary>
    /// A direct connection with a relay, for a dial that goes on behind it: it takes no place of its own among those under way, lest they
    /// all wait for each other.
    /// </summary>
    public async Task<PeerConnection> ConnectRelayAsync(PeerId relay, Multiaddr address, CancellationToken ct)
    {
        PeerConnection connection = await ConnectAsync(relay, [address], isRelay: true, ct).ConfigureAwait(false);
        return connection.RemoteAddress.IsCircuit ? throw new DialException($"the relay {relay} is itself reached over a relay") : connection;
    }

    private async Task<PeerConnection> ConnectAsync(PeerId peer, IReadOnlyList<Multiaddr> given, bool isRelay, CancellationToken ct)
    {
        while (true)
        {
            if (hub.Table.Find(peer) is { } connection)
                return connection;
            Dial dial = Join(peer, out bool isNew);
            try
            {
                return isNew ? await RunAsync(dial, peer, given, isRelay, ct).ConfigureAwait(false) : await dial.Result.Task.WaitAsync(ct).ConfigureAwait(false);
            }
            catch (DialException) when (!isNew && given.Count > 0)
            {
                // Somebody else's addresses failed; these are still to be tried.
            }
            catch (OperationCanceledException) when (isStopped && !ct.IsCancellationRequested)
            {
                throw new ConnectionClosedException("the host has stopped");
            }
            catch (OperationCanceledException) when (!isNew && !ct.IsCancellationRequested)
            {
                // Whoever had begun gave up.
            }
            finally
            {
                Leave(peer, dial);
            }
        }
    }

    /// <summary>Ends the dials that are under way; there are no more.</summary>
    public void Dispose()
    {
        lock (gate)
            isStopped = true;
        stopping.Cancel();
        stopping.Dispose();
    }

    private Dial Join(PeerId peer, out bool isNew)
    {
        lock (gate)
        {
            if (isStopped)
                throw new ConnectionClosedException("the host has stopped");
            isNew = !dials.TryGetValue(peer, out Dial? dial);
            if (dial is null)
            {
                if (underWay >= hub.Limits.DialsMax + hub.Limits.DialsWaitingMax)
                    throw new DialException("too many dials wait for their turn");
                underWay++;
                dials.Add(peer, dial = new Dial(CancellationTokenSource.CreateLinkedTokenSource(stopping.Token)));
            }
            dial.Askers++;
            return dial;
        }
    }

    private void Leave(PeerId peer, Dial dial)
    {
        lock (gate)
        {
            if (--dial.Askers > 0)
                return;
            underWay--;
            dials.Remove(peer);
        }
        dial.Stop.Cancel();
        dial.Stop.Dispose();
    }

    // On the task of whoever asked first; if he gives up, the others begin again.
    private async Task<PeerConnection> RunAsync(Dial dial, PeerId peer, IReadOnlyList<Multiaddr> given, bool isRelay, CancellationToken ct)
    {
        using CancellationTokenRegistration registration = ct.UnsafeRegister(static d => ((Dial)d!).Stop.Cancel(), dial);
        try
        {
            if (!isRelay)
                await slots.WaitAsync(dial.Stop.Token).ConfigureAwait(false);
            try
            {
                PeerConnection connection = await TryAllAsync(peer, given, dial.Stop.Token).ConfigureAwait(false);
                dial.Result.TrySetResult(connection);
                return connection;
            }
            finally
            {
                if (!isRelay)
                    slots.Release();
            }
        }
        catch (OperationCanceledException)
        {
            dial.Result.TrySetCanceled(CancellationToken.None);
            ct.ThrowIfCancellationRequested();
            throw;
        }
        catch (Exception failure)
        {
            dial.Result.TrySetException(failure);
            // Observed here; others may wait for it or not.
            _ = dial.Result.Task.Exception;
            throw;
        }
    }

    private async Task<PeerConnection> TryAllAsync(PeerId peer, IReadOnlyList<Multiaddr> given, CancellationToken ct)
    {
        var reasons = new List<string>();
        List<DialTarget> targets = await addresses.ResolveAsync(peer, given.Count > 0 ? given : Remembered(peer, reasons), reasons, ct).ConfigureAwait(false);
        var plan = new DialPlan<DialTarget>(targets, target => target.EndPoint?.AddressFamily ?? AddressFamily.Unspecified, hub.Clock.Now);
        using var others = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var attempts = new Dictionary<Task<PeerConnection>, DialTarget>();
        Exception? last = null;
        try
        {
            while (!plan.IsExhausted)
            {
                while (plan.TryStart(hub.Clock.Now, out DialTarget? target))
                    attempts.Add(addresses.DialAsync(peer, target!, others.Token), target!);
                Task<PeerConnection>? ended = await FirstAsync([.. attempts.Keys], plan.NextDeadline).ConfigureAwait(false);
                if (ended is null)
                    continue;
                attempts.Remove(ended, out DialTarget? tried);
                try
                {
                    PeerConnection connection = await ended.ConfigureAwait(false);
                    Note(peer, tried!.Address, failed: false);
                    book.AddAddresses(peer, [tried.Address]);
                    return connection;
                }
                catch (Exception failure) when (!ct.IsCancellationRequested)
                {
                    last = failure;
                    Note(peer, tried!.Address, failed: true);
                    reasons.Add($"{tried.Address}: {failure.Message}");
                    plan.Failed(hub.Clock.Now);
                }
            }
        }
        finally
        {
            await others.CancelAsync().ConfigureAwait(false);
            foreach (Task<PeerConnection> attempt in attempts.Keys)
                await AbandonAsync(attempt).ConfigureAwait(false);
        }
        // The peer may have come to us meanwhile.
        if (hub.Table.Find(peer) is { } connected)
            return connected;
        throw new DialException($"{peer} cannot be reached; {(reasons.Count == 0 ? "no address of it is known" : string.Join("; ", reasons))}", last);
    }

    private List<Multiaddr> Remembered(PeerId peer, List<string> reasons)
    {
        var dialable = new List<Multiaddr>();
        Instant now = hub.Clock.Now;
        lock (gate)
        {
            foreach (Multiaddr address in book[peer].Addresses)
            {
                if (backoff.IsOff(peer, address, now))
                    reasons.Add($"{address}: failed a while ago and is left alone");
                else
                    dialable.Add(address);
            }
        }
        return dialable;
    }

    private void Note(PeerId peer, Multiaddr address, bool failed)
    {
        lock (gate)
        {
            if (failed)
                backoff.Failed(peer, address, hub.Clock.Now);
            else
                backoff.Succeeded(peer, address);
        }
    }

    // The first attempt that ends; null when the next one is to be started before that.
    private async Task<Task<PeerConnection>?> FirstAsync(Task<PeerConnection>[] attempts, Instant until)
    {
        if (attempts.Length == 1 && (until == Instant.Never || attempts[0].IsCompleted))
        {
            await ((Task)attempts[0]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return attempts[0];
        }
        var time = new TaskCompletionSource<PeerConnection>(TaskCreationOptions.RunContinuationsAsynchronously);
        var deadline = new CallAt(() => time.TrySetCanceled());
        hub.Deadlines.Set(deadline, until);
        Task<PeerConnection> first = await Task.WhenAny([.. attempts, time.Task]).ConfigureAwait(false);
        hub.Deadlines.Clear(deadline);
        return first == time.Task ? null : first;
    }

    // One that lost the race but got through all the same is a spare: it closes when it is idle.
    private static async Task AbandonAsync(Task<PeerConnection> attempt) =>
        await ((Task)attempt).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
