using Drap.Core.Membership;
using Drap.Libp2p.Host;

namespace Drap.Node.Membership;

/// <summary>How a node comes to stand by for a scheduler, and how it shows to others that it may. [MEM-13]</summary>
internal static class StandbyCall
{
    /// <summary>Asks a scheduler for its delegation.</summary>
    public const string AskProtocol = "/drap/1.0.0/standby";

    /// <summary>Shows a delegation to a node that is connected already; others see it in the hello.</summary>
    public const string ShowProtocol = "/drap/1.0.0/delegation";

    /// <summary>Two records each way over any link that a member is reached by.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>Asks the scheduler at the other end of a connection.</summary>
    /// <exception cref="Libp2pException">It does not answer, or does not know this.</exception>
    public static Task<StandbyReply> AskAsync(PeerConnection connection, CancellationToken cancel) => WithinAsync(async limit =>
    {
        using P2pStream stream = await connection.OpenStreamAsync([AskProtocol], limit).ConfigureAwait(false);
        await RecordStream.WriteAsync(stream, new StandbyRequest(connection.Remote), limit).ConfigureAwait(false);
        return await RecordStream.ReadAsync<StandbyReply>(stream, limit).ConfigureAwait(false);
    }, cancel);

    /// <summary>Answers who asks on a stream.</summary>
    public static Task<bool> ServeAskAsync(P2pStream stream, Func<StandbyRequest, StandbyReply> answer, CancellationToken cancel) => WithinAsync(async limit =>
    {
        StandbyRequest request = await RecordStream.ReadAsync<StandbyRequest>(stream, limit).ConfigureAwait(false);
        await RecordStream.WriteAsync(stream, answer(request), limit).ConfigureAwait(false);
        await stream.CloseWriteAsync().ConfigureAwait(false);
        return true;
    }, cancel);

    /// <summary>Shows a delegation to the other end of a connection; it has taken it in when this ends.</summary>
    /// <exception cref="Libp2pException">It does not answer, or does not know this.</exception>
    public static Task<bool> ShowAsync(PeerConnection connection, DelegationShown shown, CancellationToken cancel) => WithinAsync(async limit =>
    {
        using P2pStream stream = await connection.OpenStreamAsync([ShowProtocol], limit).ConfigureAwait(false);
        await RecordStream.WriteAsync(stream, shown, limit).ConfigureAwait(false);
        await stream.CloseWriteAsync().ConfigureAwait(false);
        await RecordStream.ReadEndAsync(stream, limit).ConfigureAwait(false);
        return true;
    }, cancel);

    /// <summary>Takes in what is shown on a stream.</summary>
    public static Task<bool> ServeShowAsync(P2pStream stream, Action<DelegationShown> take, CancellationToken cancel) => WithinAsync(async limit =>
    {
        take(await RecordStream.ReadAsync<DelegationShown>(stream, limit).ConfigureAwait(false));
        await stream.CloseWriteAsync().ConfigureAwait(false);
        return true;
    }, cancel);

    private static async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Patience);
        try
        {
            return await call(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new Libp2pException("it does not answer");
        }
    }
}
