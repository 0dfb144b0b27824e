using Drap.Core.Transfer;
using Drap.Node.Overlay;
using Drap.Node.Time;

namespace Drap.Node.Blobs;

/// <summary>
/// Gives blobs to whoever asks for them by name and may read them. A stream's requests are answered in their order; who does not read what it asked for
/// holds up its own stream alone, and gives it up after <see cref="Patience"/>. A peer gets no more than its rate, over all its streams together.
/// </summary>
/// <param name="served">What is given, and to whom.</param>
/// <param name="bytesPerSecond">The rate of one peer; 0 for none.</param>
internal sealed class BlobServer(ServedBlobs served, long bytesPerSecond) : IDisposable
{
    /// <summary>Streams served at once: each holds two leaves, so 32 of them 16 MiB, and a block of up to 2 MiB each.</summary>
    private const int ServedMax = 32;

    /// <summary>Of one peer: no member can keep the others from their turn.</summary>
    private const int ServedPerPeerMax = 8;

    /// <summary>Streams of one peer that may be open; further ones are reset, and their askers try again.</summary>
    private const int OpenPerPeerMax = 64;

    /// <summary>Streams that wait for their turn; further ones are reset.</summary>
    private const int WaitingMax = 1024;

    /// <summary>How long a peer may take to send a request, or to read a block.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim slots = new(ServedMax);
    private readonly Dictionary<PeerId, PeerTurns> peers = [];
    private readonly PeerRates rates = new(bytesPerSecond);
    private int waiting;

    /// <summary>Serves one stream to its end.</summary>
    public async Task ServeAsync(PeerId peer, OverlayStream stream, CancellationToken cancel)
    {
        PeerTurns turns = Enter(peer);
        try
        {
            await turns.Turn.WaitAsync(cancel).ConfigureAwait(false);
            try
            {
                await slots.WaitAsync(cancel).ConfigureAwait(false);
                try
                {
                    Interlocked.Decrement(ref waiting);
                    await AnswerAllAsync(peer, stream, cancel).ConfigureAwait(false);
                }
                finally
                {
                    Interlocked.Increment(ref waiting);
                    slots.Release();
                }
            }
            finally
            {
                turns.Turn.Release();
            }
        }
        finally
        {
            Leave(peer, turns);
        }
    }

    public void Dispose() => slots.Dispose();

    private PeerTurns Enter(PeerId peer)
    {
        lock (peers)
        {
            if (!peers.TryGetValue(peer, out PeerTurns? turns))
                peers[peer] = turns = new PeerTurns();
            if (turns.Open == OpenPerPeerMax || waiting >= WaitingMax)
            {
                if (turns.Open == 0)
                    peers.Remove(peer);
                throw new OverlayException(OverlayFailure.Reset, "too many streams wait for blobs");
            }
            turns.Open++;
            Interlocked.Increment(ref waiting);
            return turns;
        }
    }

    private void Leave(PeerId peer, PeerTurns turns)
    {
        lock (peers)
        {
            Interlocked.Decrement(ref waiting);
            if (--turns.Open == 0)
                peers.Remove(peer);
        }
    }

    private async Task AnswerAllAsync(PeerId peer, OverlayStream stream, CancellationToken cancel)
    {
        using var answers = new BlobAnswers(served, stream, bytes => Delay(peer, bytes), Patience, cancel);
        await answers.RunAsync().ConfigureAwait(false);
    }

    /// <summary>How long these bytes must wait.</summary>
    private TimeSpan Delay(PeerId peer, int bytes)
    {
        if (bytesPerSecond == 0)
            return TimeSpan.Zero;
        lock (rates)
            return rates.Take(peer, bytes, BootClock.Now);
    }

    /// <summary>Streams of one peer.</summary>
    private sealed class PeerTurns
    {
        public SemaphoreSlim Turn { get; } = new(ServedPerPeerMax);

        public int Open { get; set; }
    }
}
