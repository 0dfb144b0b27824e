using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Kademlia.Queries;

/// <summary>A question that is one walk towards its key; as it is, it finds the k nearest peers.</summary>
internal class WalkQuery(long id, Instant deadline, Lookup walk, KadMessage request) : KadQuery(id, deadline)
{
    public Lookup Walk { get; } = walk;

    public override Instant NextDeadline => Instant.Min(Deadline, Walk.NextDeadline);

    public override bool IsOver => Walk.IsOver;

    public override KadOutcome Outcome => new KadOutcome.Peers(Walk.Closest);

    public override bool TryNext(
        Instant now, Func<PeerId, bool> isBusy, [NotNullWhen(true)] out KadPeer? peer, [NotNullWhen(true)] out KadMessage? message)
    {
        message = request;
        return Walk.TryNext(now, isBusy, out peer);
    }

    public override void Answered(PendingRequest request, KadMessage? answer, List<KadEffect> effects) =>
        Walk.Answered(request.To, answer?.Closer ?? []);

    public override void Failed(PendingRequest request) => Walk.Failed(request.To);

    public override void Advance(Instant now) => Walk.Advance(now);
}

/// <summary>Where is this peer? Over when somebody says where.</summary>
internal sealed class PeerQuery(long id, Instant deadline, PeerId wanted, Lookup walk)
    : WalkQuery(id, deadline, walk, new KadMessage(KadMessageType.FindNode, wanted.Bytes.ToArray()))
{
    private KadPeer? found;

    public override bool IsOver => found is not null || base.IsOver;

    public override KadOutcome Outcome => new KadOutcome.Peers(found is null ? [] : [found]);

    public override void Answered(PendingRequest request, KadMessage? answer, List<KadEffect> effects)
    {
        base.Answered(request, answer, effects);
        found ??= request.To.Id == wanted ? request.To : answer?.Closer.FirstOrDefault(near => near.Id == wanted && !near.Addresses.IsEmpty);
    }
}

/// <summary>Who provides this content? Over when so many are found as are wanted.</summary>
internal sealed class ProvidersQuery(long id, Instant deadline, byte[] content, int wanted, IReadOnlyList<KadPeer> known, Lookup walk)
    : WalkQuery(id, deadline, walk, new KadMessage(KadMessageType.GetProviders, content))
{
    private readonly Dictionary<PeerId, KadPeer> providers = known.Take(wanted).ToDictionary(peer => peer.Id);
    private readonly List<PeerId> order = [.. known.Take(wanted).Select(peer => peer.Id)];

    public override bool IsOver => providers.Count >= wanted || base.IsOver;

    public override KadOutcome Outcome => new KadOutcome.Peers([.. order.Select(id => providers[id])]);

    public override void Answered(PendingRequest request, KadMessage? answer, List<KadEffect> effects)
    {
        base.Answered(request, answer, effects);
        var newly = ImmutableArray.CreateBuilder<KadPeer>();
        foreach (KadPeer provider in answer?.Providers ?? [])
        {
            if (providers.Count >= wanted)
                break;
            if (!providers.TryAdd(provider.Id, provider))
                continue;
            order.Add(provider.Id);
            newly.Add(provider);
        }
        if (newly.Count > 0)
            effects.Add(new KadEffect.Found(Id, newly.ToImmutable()));
    }
}
