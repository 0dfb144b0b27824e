using System.Collections.Immutable;
using Drap.Core.Messages;
using Drap.Core.Nodes;

namespace Drap.Core.Market.Arbitration;

/// <summary>Whether a node is of the kind that a group wants, whatever is free on it and whatever it pays.</summary>
internal static class Eligibility
{
    /// <summary>Null if it is; else the first reason, in the order in which a person would fix them.</summary>
    public static RefusalEntry? Judge(TaskGroup group, Principal principal, WorkerOptions options, ResourcePool empty)
    {
        if (!options.Principals.IsEmpty && !options.Principals.Contains(principal))
            return Refuse(group, RefusalReason.Principal, principal.Name);
        if (!options.Traits.Drivers.Contains(group.Driver))
            return Refuse(group, RefusalReason.Driver, group.Driver);
        if (group.Handler.Length > 0 && !options.Traits.Handlers.Contains(group.Handler))
            return Refuse(group, RefusalReason.Driver, group.Handler);
        if (Misplaced(group.Placement, options.Traits) is { } word)
            return Refuse(group, RefusalReason.Constraint, word);
        if (options.Sandbox.MissingFor(group, principal) is { } missing)
            return Refuse(group, RefusalReason.Constraint, missing);
        if (!empty.Fits(group.Resources))
            return new RefusalEntry(group.Id, RefusalReason.TooSmall, Cut(empty.Shortages(group.Resources)), Price.Zero, "");
        return null;
    }

    /// <summary>Whether the reason outlasts the ad, so that it need not be kept.</summary>
    public static bool IsFinal(RefusalReason reason) =>
        reason is RefusalReason.TooSmall or RefusalReason.Constraint or RefusalReason.Driver or RefusalReason.Principal;

    public static RefusalEntry Refuse(TaskGroup group, RefusalReason reason, string detail = "", Price ask = default) =>
        new(group.Id, reason, [], ask, detail);

    /// <summary>As many shortages as a refusal carries.</summary>
    public static ImmutableArray<Shortage> Cut(ImmutableArray<Shortage> shortages) =>
        shortages.Length <= MessageLimits.Shortages ? shortages : shortages[..MessageLimits.Shortages];

    private static string? Misplaced(Placement placement, NodeTraits traits)
    {
        foreach (string label in placement.Labels)
            if (!traits.Labels.Contains(label))
                return "label " + label;
        foreach (string label in placement.NotLabels)
            if (traits.Labels.Contains(label))
                return "no label " + label;
        if (placement.Architecture.Length > 0 && placement.Architecture != traits.Architecture)
            return "architecture " + placement.Architecture;
        if (placement.Region.Length > 0 && placement.Region != traits.Region)
            return "region " + placement.Region;
        return placement.Zone.Length > 0 && placement.Zone != traits.Zone ? "zone " + placement.Zone : null;
    }
}
