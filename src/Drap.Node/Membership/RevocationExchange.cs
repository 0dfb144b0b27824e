using System.Collections.Immutable;
using Drap.Core.Membership;
using Drap.Libp2p.Host;

namespace Drap.Node.Membership;

/// <summary>How two nodes that know of different removals tell each other: both say all, and hear all. [MEM-10]</summary>
/// <param name="known">What this node knows.</param>
/// <param name="isKnown">Whether an envelope is among them.</param>
/// <param name="hear">Takes one in.</param>
internal sealed class RevocationExchange(Func<ImmutableArray<SignedRevocation>> known, Func<Wrapped, bool> isKnown, Func<byte[], Task> hear) : IDisposable
{
    /// <summary>The protocol.</summary>
    public const string Protocol = "/drap/1.0.0/revocations";

    /// <summary>How long it may take: 4 MiB each way at worst.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    // One at a time, since each may cost many signature checks.
    private readonly SemaphoreSlim exchanging = new(1);

    /// <summary>Begins one with the other end of a connection.</summary>
    public async Task AskAsync(PeerConnection connection, CancellationToken cancel)
    {
        using P2pStream stream = await connection.OpenStreamAsync([Protocol], cancel).ConfigureAwait(false);
        await RunAsync(stream, cancel).ConfigureAwait(false);
    }

    /// <summary>One side's part, which is both sides'.</summary>
    public async Task RunAsync(P2pStream stream, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Patience);
        Task saying = SayAsync(stream, limit.Token);
        await exchanging.WaitAsync(limit.Token).ConfigureAwait(false);
        try
        {
            for (int left = RevocationList.CountMax; left > 0; left--)
            {
                byte[]? envelope = await RecordStream.ReadAsync(stream, MembershipRecord.EnvelopeBytesMax, limit.Token).ConfigureAwait(false);
                if (envelope is null)
                    break;
                if (!isKnown(new Wrapped([.. envelope])))
                    await hear(envelope).ConfigureAwait(false);
            }
        }
        finally
        {
            exchanging.Release();
            await saying.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => exchanging.Dispose();

    private async Task SayAsync(P2pStream stream, CancellationToken ct)
    {
        foreach (SignedRevocation one in known())
            await RecordStream.WriteAsync(stream, one.Envelope.Bytes.AsSpan(), ct).ConfigureAwait(false);
        await stream.CloseWriteAsync().ConfigureAwait(false);
    }
}
