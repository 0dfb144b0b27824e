using Drap.Core.Membership;
using Drap.Libp2p.Host;
using Drap.Libp2p.Keys;

namespace Drap.Node.Membership;

/// <summary>An order to another node to take nothing new: how it is given, and how it is taken. [MEM-11]</summary>
internal static class DrainCall
{
    /// <summary>The protocol.</summary>
    public const string Protocol = "/drap/1.0.0/drain";

    /// <summary>Two records each way over any link that a member is reached by.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>Orders the node at the other end of a connection to drain.</summary>
    /// <exception cref="Libp2pException">It does not answer, or does not know this.</exception>
    public static async Task<DrainAnswer> AskAsync(PeerConnection connection, PeerId swarm, PeerId self, PrivateKey key, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Patience);
        try
        {
            P2pStream stream = await connection.OpenStreamAsync([Protocol], limit.Token).ConfigureAwait(false);
            using (stream)
            {
                await RecordStream.WriteAsync(stream, SignedPapers.Seal(new DrainOrder(swarm, connection.Remote, self), key).Bytes.AsMemory().Span, limit.Token).ConfigureAwait(false);
                return (await RecordStream.ReadAsync<DrainReply>(stream, limit.Token).ConfigureAwait(false)).Answer;
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new Libp2pException("it does not answer");
        }
    }

    /// <summary>Takes an order on a stream of another node's.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="judge">Whether an order binds, by who signed it.</param>
    /// <param name="drain">Drains this node; null where there is nothing to drain.</param>
    /// <param name="ct">Gives up.</param>
    public static async Task ServeAsync(P2pStream stream, Func<DrainOrder, PeerId, DrainAnswer> judge, Action? drain, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Patience);
        byte[] envelope = await RecordStream.ReadAsync(stream, MembershipRecord.EnvelopeBytesMax, limit.Token).ConfigureAwait(false) ?? [];
        DrainAnswer answer = SignedPapers.TryOpen(envelope, out DrainOrder? order, out PeerId signer) ? judge(order, signer) : DrainAnswer.Unreadable;
        if (answer == DrainAnswer.Draining && drain is null)
            answer = DrainAnswer.NoWorker;
        if (answer == DrainAnswer.Draining)
            drain!();
        await RecordStream.WriteAsync(stream, new DrainReply(answer), limit.Token).ConfigureAwait(false);
        await stream.CloseWriteAsync().ConfigureAwait(false);
    }
}
