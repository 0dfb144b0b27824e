using System.Collections.Immutable;
using Drap.Core.Membership;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Mdns;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Node.Time;

namespace Drap.Node.Membership;

/// <summary>The newcomer's side: goes to who made the ticket, shows it, and comes back with certificates.</summary>
public static class JoinCall
{
    /// <summary>How long the inviter is looked for on the network, where its addresses do not lead to it: it is asked for each second.</summary>
    private static readonly TimeSpan LookTime = TimeSpan.FromSeconds(10);

    /// <summary>Asks to be let in.</summary>
    /// <param name="ticket">The ticket.</param>
    /// <param name="key">Who asks.</param>
    /// <param name="name">What its owner calls it.</param>
    /// <param name="ct">Gives up; the ticket may have been used then, by the same node.</param>
    /// <exception cref="JoinException">It is not let in, or nobody is reached.</exception>
    public static async Task<JoinReply> JoinAsync(Ticket ticket, PrivateKey key, string name, CancellationToken ct)
    {
        if (BootClock.UtcNow.CompareTo(ticket.Expires) >= 0)
            throw new JoinException($"the ticket was good until {ticket.Expires}; ask for another (drap invite)");
        Multiaddr[] addresses = [.. ticket.Addresses.Select(a => Multiaddr.TryFromBytes(a.Bytes.AsSpan(), out Multiaddr? address) ? address : null).OfType<Multiaddr>()];
        var asking = new Asking(ticket, name);
        Libp2pHost host = await Libp2pHost.StartAsync(new HostOptions { Key = key, Gate = asking }, ct).ConfigureAwait(false);
        await using (host.ConfigureAwait(false))
        {
            string? failure = addresses.Length == 0 ? null : await TryAsync(host, ticket.Inviter, addresses, ct).ConfigureAwait(false);
            if (asking.Reply is null && await FindAsync(host, ticket.Inviter, ct).ConfigureAwait(false) is { Count: > 0 } found)
                failure = await TryAsync(host, ticket.Inviter, found, ct).ConfigureAwait(false);
            if (asking.Reply is not { } reply)
                throw new JoinException(
                    $"who made the ticket is not reached: {failure ?? "the ticket has no addresses, and nobody on this network answers to its name"}", isAnswered: false);
            return reply.Refusal == JoinRefusal.None ? Checked(reply, key.PeerId) : throw new JoinException(Words(reply.Refusal));
        }
    }

    /// <summary>A refusal for people, with what to do.</summary>
    private static string Words(JoinRefusal refusal) => refusal switch
    {
        JoinRefusal.Unknown => "whoever made the ticket does not know it: it was forgotten, or that node has begun anew; ask for another (drap invite)",
        JoinRefusal.Used => "the ticket was used by another node before; if that was not yours, have it removed (drap node remove). Ask for another (drap invite)",
        JoinRefusal.Expired => "the ticket's time is over; ask for another (drap invite)",
        JoinRefusal.Busy => "too many ask to join just now; try again in a minute",
        JoinRefusal.Removed => "this node was removed from that swarm; to come back as another: drap leave, then join again",
        _ => "whoever made the ticket can let nobody in just now: it may have lost that right, or its disk is full",
    };

    private static async Task<string?> TryAsync(Libp2pHost host, PeerId inviter, IReadOnlyList<Multiaddr> addresses, CancellationToken ct)
    {
        try
        {
            await host.ConnectAsync(inviter, addresses, ct).ConfigureAwait(false);
        }
        catch (Libp2pException e)
        {
            // So it ends also when all went well: a stranger's connection is closed when it has its answer.
            return e.Message;
        }
        return null;
    }

    private static async Task<IReadOnlyList<Multiaddr>> FindAsync(Libp2pHost host, PeerId inviter, CancellationToken ct)
    {
        var found = new TaskCompletionSource<IReadOnlyList<Multiaddr>>(TaskCreationOptions.RunContinuationsAsynchronously);
        var mdns = new MdnsService(host, new MdnsServiceOptions
        {
            Connects = false,
            Found = (peer, addresses) =>
            {
                if (peer == inviter)
                    found.TrySetResult([.. addresses]);
            },
        });
        await using (mdns.ConfigureAwait(false))
        {
            Task late = Task.Delay(LookTime, ct);
            return await Task.WhenAny(found.Task, late).ConfigureAwait(false) == found.Task ? await found.Task.ConfigureAwait(false) : [];
        }
    }

    private static JoinReply Checked(JoinReply reply, PeerId self)
    {
        MembershipFault fault = MembershipFault.Unreadable;
        if (SignedPapers.TryOpen(reply.Chain, out ImmutableArray<SignedCertificate> chain) && !chain.IsEmpty)
            fault = CertificateChain.Check(chain.AsSpan(), self, chain[^1].Issuer, BootClock.UtcNow, out _);
        return fault switch
        {
            MembershipFault.None => reply,
            MembershipFault.Expired => throw new JoinException("the certificate that came has expired by this machine's clock: set the clock, or that of who made the ticket"),
            _ => throw new JoinException($"the certificate that came is none: {fault}"),
        };
    }

    /// <summary>As a gate it speaks first on the connection, and lets nobody in: there is nothing else to say to strangers yet.</summary>
    private sealed class Asking(Ticket ticket, string name) : IConnectionGate
    {
        public JoinReply? Reply { get; private set; }

        public string Protocol => SwarmMembership.JoinProtocol;

        public async ValueTask<bool> AdmitAsync(PeerConnection connection, P2pStream stream, CancellationToken ct)
        {
            if (connection.Remote != ticket.Inviter)
                return false;
            await RecordStream.WriteAsync(stream, new JoinRequest(ticket.Secret, name), ct).ConfigureAwait(false);
            Reply = await RecordStream.ReadAsync<JoinReply>(stream, ct).ConfigureAwait(false);
            await stream.CloseWriteAsync().ConfigureAwait(false);
            return false;
        }
    }
}

/// <summary>A node could not join a swarm.</summary>
/// <param name="message">Why, for people.</param>
/// <param name="isAnswered">Whether the inviter said so; else it was not reached.</param>
public sealed class JoinException(string message, bool isAnswered = true) : Exception(message)
{
    /// <summary>Whether the inviter said so; else it was not reached.</summary>
    public bool IsAnswered { get; } = isAnswered;
}
