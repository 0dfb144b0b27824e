using Drap.Core.Execution;

namespace Drap.Core.Market.Arbitration;

/// <summary>
/// Keeps each principal within what the owner lets it have at one time. What is offered counts as what is had, since it may be confirmed at any moment: so no number of schedulers and
/// no order of confirmations passes a quota.
/// </summary>
internal sealed class Quotas(Arbiter arbiter, Capacity capacity, PrincipalBook principals)
{
    /// <summary>More is as bad: a byte's worth of steps.</summary>
    public const int MissedMax = 255 * MissedStep;

    // Half an offer that should have been confirmed: with luck that is a lapse or two.
    private const int MissedStep = 500;

    /// <summary>
    /// The order in which equals are packed: first whose principal confirms what it is offered, then by lot. Else who asks with many groups draws many lots, and what it never confirms is
    /// held for it again and again.
    /// </summary>
    public ulong OrderOf(Principal principal, ulong lot) => (ulong)(principals.Of(principal).Missed / MissedStep) << 56 | lot >> 8;

    /// <summary>How many more tasks of a group may be offered to its principal now.</summary>
    /// <param name="group">The group.</param>
    /// <param name="round">What this round offers to the same principal already.</param>
    /// <param name="places">How many places, with resources of their own.</param>
    /// <param name="tasks">How many in all, those in line behind the places with them.</param>
    /// <returns>Which quota is used up, as a refusal names it; null while there is room.</returns>
    public string? RoomFor(StandingGroup group, in RoundUse round, out int places, out int tasks)
    {
        places = tasks = int.MaxValue;
        Principal principal = group.Ad.Ad.Principal;
        if (principal == arbiter.Options.Sandbox.Owner)
            return null;
        QuotaTerms terms = arbiter.Options.Quota;
        PrincipalUse use = principals.Of(principal);
        if (use.ResultBytes >= terms.BytesMax || group.Group.InputBytes > terms.BytesMax)
            return "bytes";
        if (use.Offers + round.Offers >= terms.HoldsMax)
            return "offers";
        tasks = terms.TasksMax - use.Attempts - use.Offered - round.Tasks;
        if (tasks <= 0)
            return "tasks";
        places = tasks;
        if (terms.SharePermille == 1000)
            return null;
        ResourceSum held = arbiter.Holds.HeldBy(principal, withSoft: true);
        held.Add(use.Held);
        held.Add(round.Held);
        places = Math.Min(places, held.RoomFor(group.Group.Resources, capacity.Empty.Total, terms.SharePermille, tasks));
        return places > 0 ? null : "share";
    }

    /// <summary>Whether a principal confirms so seldom, whichever of its schedulers was offered to, that nothing is held for it.</summary>
    public bool IsSeldom(Principal principal) => principals.Of(principal).Wins.IsSeldom;

    /// <summary>What its offers count in.</summary>
    public PrincipalUse UseOf(Principal principal) => principals.Of(principal);
}

/// <summary>What one round of offers gives to a principal, beside the group in question.</summary>
/// <param name="Offers">Offers to others of its ads.</param>
/// <param name="Tasks">Tasks in all of its offers.</param>
/// <param name="Held">Their resources.</param>
internal readonly record struct RoundUse(int Offers, int Tasks, ResourceSum Held);
