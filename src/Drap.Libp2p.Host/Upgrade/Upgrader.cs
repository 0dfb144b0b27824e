using System.Security.Cryptography;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Multistream;
using Drap.Libp2p.Noise;
using Drap.Libp2p.Plaintext;

namespace Drap.Libp2p.Host.Upgrade;

/// <summary>
/// Makes a connection of a link (libp2p/specs connections, "Upgrading"): agrees on what protects it, lets both sides prove who they are, and agrees on the
/// multiplexer, within the handshake where that can be.
/// </summary>
internal sealed class Upgrader : IDisposable
{
    private const string Yamux = "/yamux/1.0.0";

    private readonly ConnectionHub hub;
    private readonly NoiseIdentity noise;
    private readonly PrivateKey key;
    private readonly TlsIdentity? tls;
    private readonly IReadOnlyList<ConnectionSecurity> securities;
    private readonly ProtocolTable table;

    public Upgrader(ConnectionHub hub, HostOptions options)
    {
        this.hub = hub;
        securities = options.Security;
        if (securities.Count == 0 || securities.Distinct().Count() != securities.Count)
            throw new ArgumentException("name each security once, and one at least");
        if (securities.Contains(ConnectionSecurity.Plaintext) && !options.AllowInsecure)
            throw new ArgumentException("plaintext protects nothing: it needs AllowInsecure");
        Span<byte> random = stackalloc byte[NoiseIdentity.KeyBytes];
        RandomNumberGenerator.Fill(random);
        noise = new NoiseIdentity(options.Key, random, [Yamux]);
        key = options.Key;
        tls = securities.Contains(ConnectionSecurity.Tls) ? new TlsIdentity(options.Key, hub.Clock, [Yamux]) : null;
        table = new ProtocolTable(securities.Select(Name));
    }

    /// <summary>
    /// The dialer's side. Where Noise comes first its first message goes out with its name, before the peer has said that it speaks it; a peer that
    /// does not is dialed again with <paramref name="refused"/>.
    /// </summary>
    /// <exception cref="SecurityRefusedException">The peer does not speak what was taken for granted.</exception>
    public Task<PeerConnection> DialAsync(Link link, PeerId peer, Multiaddr remote, Multiaddr local, ConnectionSecurity? refused, CancellationToken ct) =>
        GuardAsync(link, DialGuardedAsync(link, peer, remote, local, refused, ct), ct);

    /// <summary>The listener's side.</summary>
    public Task<PeerConnection> AcceptAsync(Link link, Multiaddr remote, Multiaddr local, CancellationToken ct) =>
        GuardAsync(link, AcceptGuardedAsync(link, remote, local, ct), ct);

    public void Dispose()
    {
        noise.Dispose();
        tls?.Dispose();
    }

    private static string Name(ConnectionSecurity security) => security switch
    {
        ConnectionSecurity.Noise => "/noise",
        ConnectionSecurity.Tls => "/tls/1.0.0",
        _ => "/plaintext/2.0.0",
    };

    private ConnectionSecurity Security(string name) => securities.First(s => Name(s) == name);

    // Whatever goes wrong, also a cancellation, which closes the link, so that whatever waits on it fails.
    private static async Task<PeerConnection> GuardAsync(Link link, Task<PeerConnection> upgrade, CancellationToken ct)
    {
        bool isDone = false;
        await using CancellationTokenRegistration registration = ct.UnsafeRegister(static l => ((Link)l!).Close(), link);
        try
        {
            PeerConnection connection = await upgrade.ConfigureAwait(false);
            isDone = true;
            return connection;
        }
        catch (Exception failure) when (failure is not OperationCanceledException && ct.IsCancellationRequested)
        {
            // The handshake sees only that the link has ended: whoever waits for the same dial must not take that for the peer's doing.
            throw new OperationCanceledException("the connection was not made in time", failure, ct);
        }
        finally
        {
            if (!isDone)
                link.Close();
        }
    }

    private async Task<PeerConnection> DialGuardedAsync(
        Link link, PeerId peer, Multiaddr remote, Multiaddr local, ConnectionSecurity? refused, CancellationToken ct)
    {
        using var buffer = new HandshakeBuffer(link, hub.Limits.HandshakeBytesMax);
        ConnectionSecurity[] offered = [.. securities.Where(s => s != refused)];
        bool isOptimistic = offered.Length > 0 && offered[0] == ConnectionSecurity.Noise;
        if (offered.Length == 0)
            throw new ProtocolRefusedException(peer, [.. securities.Select(Name)]);
        var initiator = new MultistreamInitiator(isOptimistic ? [Name(ConnectionSecurity.Noise)] : [.. offered.Select(Name)]);
        initiator.Start(buffer.Output);
        using NoiseHandshake? shaking = isOptimistic ? NoiseHandshake.Dial(noise, Ephemeral(), peer) : null;
        shaking?.Start(buffer.Output);
        await buffer.SendAsync().ConfigureAwait(false);
        while (initiator.Status == MultistreamStatus.Negotiating)
        {
            await buffer.FillAsync().ConfigureAwait(false);
            buffer.Use(initiator.Receive(buffer.Unread, buffer.Output));
            await buffer.SendAsync().ConfigureAwait(false);
        }
        if (initiator.Status == MultistreamStatus.Failed)
        {
            if (isOptimistic && initiator.Error == MultistreamError.NotAvailable && offered.Length > 1)
                throw new SecurityRefusedException(offered[0]);
            throw new Libp2pException($"agreeing on what protects the connection failed: {initiator.Error}");
        }
        ConnectionSecurity security = Security(initiator.Protocol);
        Secured secured = security switch
        {
            ConnectionSecurity.Noise => await ShakeNoiseAsync(buffer, shaking, peer, isDialer: true).ConfigureAwait(false),
            ConnectionSecurity.Tls => await tls!.ShakeAsync(buffer, peer, isDialer: true, ct).ConfigureAwait(false),
            _ => await ExchangeNamesAsync(buffer, peer).ConfigureAwait(false),
        };
        return await FinishAsync(buffer, secured, new ConnectionFacts(secured.Peer, remote, local, IsInbound: false, security), ct).ConfigureAwait(false);
    }

    private async Task<PeerConnection> AcceptGuardedAsync(Link link, Multiaddr remote, Multiaddr local, CancellationToken ct)
    {
        using var buffer = new HandshakeBuffer(link, hub.Limits.HandshakeBytesMax);
        var responder = new MultistreamResponder(table.Match);
        while (responder.Status == MultistreamStatus.Negotiating)
        {
            await buffer.FillAsync().ConfigureAwait(false);
            buffer.Use(responder.Receive(buffer.Unread, buffer.Output));
            // The answer to a proposal with the first message of Noise behind it goes out with ours.
            if (responder.Status != MultistreamStatus.Done || buffer.Unread.IsEmpty)
                await buffer.SendAsync().ConfigureAwait(false);
        }
        if (responder.Status == MultistreamStatus.Failed)
            throw new Libp2pException($"agreeing on what protects the connection failed: {responder.Error}");
        ConnectionSecurity security = Security(responder.Protocol!);
        Secured secured = security switch
        {
            ConnectionSecurity.Noise => await ShakeNoiseAsync(buffer, null, null, isDialer: false).ConfigureAwait(false),
            ConnectionSecurity.Tls => await tls!.ShakeAsync(buffer, null, isDialer: false, ct).ConfigureAwait(false),
            _ => await ExchangeNamesAsync(buffer, null).ConfigureAwait(false),
        };
        return await FinishAsync(buffer, secured, new ConnectionFacts(secured.Peer, remote, local, IsInbound: true, security), ct).ConfigureAwait(false);
    }

    private async Task<Secured> ShakeNoiseAsync(HandshakeBuffer buffer, NoiseHandshake? begun, PeerId? peer, bool isDialer)
    {
        using NoiseHandshake? own = begun is not null ? null : isDialer ? NoiseHandshake.Dial(noise, Ephemeral(), peer) : NoiseHandshake.Listen(noise, Ephemeral(), peer);
        NoiseHandshake shaking = begun ?? own!;
        if (begun is null && isDialer)
            shaking.Start(buffer.Output);
        while (true)
        {
            if (!buffer.Unread.IsEmpty)
                buffer.Use(shaking.Receive(buffer.Unread, buffer.Output));
            await buffer.SendAsync().ConfigureAwait(false);
            if (shaking.Status != NoiseStatus.Shaking)
                break;
            await buffer.FillAsync().ConfigureAwait(false);
        }
        if (!shaking.IsDone)
            throw new Libp2pException($"the handshake of Noise failed: {shaking.Error}");
        return new Secured(shaking.RemoteKey, new NoiseSealing(shaking.Transport), shaking.Muxer is not null);
    }

    private async Task<Secured> ExchangeNamesAsync(HandshakeBuffer buffer, PeerId? peer)
    {
        var exchange = new PlaintextExchange(key, peer);
        exchange.Start(buffer.Output);
        await buffer.SendAsync().ConfigureAwait(false);
        while (true)
        {
            buffer.Use(exchange.Receive(buffer.Unread));
            if (exchange.IsDone)
                return new Secured(exchange.RemoteKey, new NoSealing(), HasMuxer: false);
            if (exchange.Error != PlaintextError.None)
                throw new Libp2pException($"the exchange of names failed: {exchange.Error}");
            await buffer.FillAsync().ConfigureAwait(false);
        }
    }

    private async Task<PeerConnection> FinishAsync(HandshakeBuffer buffer, Secured secured, ConnectionFacts facts, CancellationToken ct)
    {
        buffer.IsPeerKnown = true;
        ReadOnlyMemory<byte> plain = default;
        if (!secured.HasMuxer)
            plain = await AgreeOnMuxerAsync(buffer, secured.Sealing, isDialer: !facts.IsInbound).ConfigureAwait(false);
        ct.ThrowIfCancellationRequested();
        var connection = new PeerConnection(hub, buffer.Link, secured.Sealing, facts);
        await hub.AdoptAsync(connection, plain, buffer.TakeRest(), ct).ConfigureAwait(false);
        return connection;
    }

    // multistream-select over the secured link; returns what came behind the agreement, opened already.
    private static async Task<ReadOnlyMemory<byte>> AgreeOnMuxerAsync(HandshakeBuffer buffer, Sealing sealing, bool isDialer)
    {
        MultistreamInitiator? initiator = isDialer ? new MultistreamInitiator(Yamux) : null;
        MultistreamResponder? responder = isDialer ? null : new MultistreamResponder(offered => offered.SequenceEqual(Yamux) ? Yamux : null);
        initiator?.Start(buffer.Output);
        while (true)
        {
            await buffer.SendAsync(sealing).ConfigureAwait(false);
            Memory<byte> plain = await buffer.OpenAsync(sealing).ConfigureAwait(false);
            int used = initiator?.Receive(plain.Span, buffer.Output) ?? responder!.Receive(plain.Span, buffer.Output);
            MultistreamStatus status = initiator?.Status ?? responder!.Status;
            if (status == MultistreamStatus.Failed)
                throw new Libp2pException($"agreeing on the multiplexer failed: {initiator?.Error ?? responder!.Error}");
            if (status == MultistreamStatus.Done)
            {
                byte[] behind = plain[used..].ToArray();
                await buffer.SendAsync(sealing).ConfigureAwait(false);
                return behind;
            }
        }
    }

    private static byte[] Ephemeral()
    {
        byte[] random = new byte[NoiseIdentity.KeyBytes];
        RandomNumberGenerator.Fill(random);
        return random;
    }
}

/// <summary>What a security protocol found: who the peer is, how frames are sealed, and whether yamux is agreed on already.</summary>
internal sealed record Secured(PublicKey Peer, Sealing Sealing, bool HasMuxer);

/// <summary>The peer does not speak what the dialer took for granted.</summary>
internal sealed class SecurityRefusedException(ConnectionSecurity security) : Libp2pException($"the peer does not speak {security}")
{
    public ConnectionSecurity Security { get; } = security;
}
