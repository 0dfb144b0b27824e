using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>An offer that has not been decided yet.</summary>
internal sealed record HeldOffer(PeerId Worker, Offer Offer, StandingAd? Ad, Instant Received)
{
    public bool Extended { get; set; }

    /// <summary>It won something. An offer is confirmed once, with all that it won: what it offered beside that is not held any more.</summary>
    public bool IsTaken { get; set; }

    public Instant ValidUntil { get; set; } = Received + Offer.Valid;
}
