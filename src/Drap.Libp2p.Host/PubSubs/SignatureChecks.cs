using System.Buffers;
using System.Collections.Concurrent;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>
/// Checks signatures on the pool, on so many threads at once and no more. What waits is bounded by the router, which stops reading from whoever sends more.
/// Results go back several at a time if several waited: one turn at the router for all.
/// </summary>
internal sealed class SignatureChecks(int checkersMax, Action<CheckedMessage[]> report) : IThreadPoolWorkItem
{
    // So few that another checker finds something to do, too.
    private const int Batch = 8;

    private readonly ConcurrentQueue<GossipMessage> waiting = new();
    private readonly KeyCache keys = new();
    private int checkers;

    /// <summary>Something more to check, once <see cref="Start"/> was called.</summary>
    public void Add(GossipMessage message) => waiting.Enqueue(message);

    /// <summary>
    /// Starts checkers for what was added. With <paramref name="keepsOne"/> one of them is returned, for the caller to run where it does not hold up reading.
    /// </summary>
    public IThreadPoolWorkItem? Start(int added, bool keepsOne)
    {
        IThreadPoolWorkItem? kept = null;
        for (; added > 0 && TryBegin(); added--)
        {
            if (keepsOne && kept is null)
                kept = this;
            else
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
        return kept;
    }

    void IThreadPoolWorkItem.Execute()
    {
        do
        {
            var done = new CheckedMessage[Batch];
            int count = 0;
            while (count < Batch && waiting.TryDequeue(out GossipMessage? message))
                done[count++] = new CheckedMessage(message, IsGood(message.Content));
            if (count > 0)
                report(count == Batch ? done : done[..count]);
            // After a while whoever waits for this thread has his turn. If nobody does, another would only be woken to go on with this.
            if (!waiting.IsEmpty && ThreadPool.PendingWorkItemCount > 0)
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                return;
            }
        }
        while (!waiting.IsEmpty);
        Interlocked.Decrement(ref checkers);
        // One that was put in after the last look found this checker still counted.
        if (!waiting.IsEmpty)
            Start(1, keepsOne: false);
    }

    private bool TryBegin()
    {
        int now = Volatile.Read(ref checkers);
        while (now < checkersMax)
        {
            int seen = Interlocked.CompareExchange(ref checkers, now + 1, now);
            if (seen == now)
                return true;
            now = seen;
        }
        return false;
    }

    private bool IsGood(SignedMessage message)
    {
        if (!keys.TryGet(message, out PublicKey? key))
            return false;
        int length = message.SignedLength;
        if (length <= 2048)
            return MessageSignature.IsGood(message, key, stackalloc byte[length]);
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            return MessageSignature.IsGood(message, key, rented);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}

/// <summary>A message and whether its signature is good.</summary>
internal readonly record struct CheckedMessage(GossipMessage Message, bool IsGood);
