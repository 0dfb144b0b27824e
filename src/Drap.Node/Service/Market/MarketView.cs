using System.Globalization;
using Drap.Api;
using Drap.Core;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using PriceFactor = Drap.Api.PriceFactor;

namespace Drap.Node.Service;

/// <summary>The workers as people see them.</summary>
internal static class MarketView
{
    public static MarketNode Of(SurveyedNode node, bool explain, Func<PeerId, string> nameOf)
    {
        NodeState state = node.State;
        string avoided = node.KeptAway.Length > 0 ? node.KeptAway : state.Draining ? "it is draining and takes no new work" : "";
        return new MarketNode
        {
            Name = state.Name.Length > 0 ? state.Name : node.Peer.Short,
            Peer = node.Peer,
            Principal = Principal.Local.Name,
            Traits = state.Traits,
            Total = state.Total,
            Free = state.Free,
            Running = state.Running,
            EndsInSeconds = state.EndsIn,
            CorePrice = state.Prices.IsEmpty ? Price.Zero : state.Prices[^1].Amount,
            Factors = explain ? [.. state.Prices.Select(f => Of(f, state))] : [],
            Refused = node.Complaint is { } complaint ? Of(complaint, nameOf) : null,
            Complaints = [.. state.Complaints.Select(c => Of(c, nameOf))],
            Avoided = avoided.Length > 0 ? new Reason(ReasonCodes.BackOff, avoided) : null,
        };
    }

    private static Complaint Of(Core.Health.Complaint complaint, Func<PeerId, string> nameOf) => new(nameOf(complaint.Peer), complaint.Peer, complaint.Count, complaint.Last);

    public static MarketNode Of(SilentNode node) => new()
    {
        Name = node.Name,
        Peer = node.Peer,
        Principal = Principal.Local.Name,
        SilentSeconds = node.For,
    };

    private static PriceFactor Of(Core.Messages.PriceFactor factor, NodeState state) => new(
        factor.Name,
        factor.Permille > 0 ? "×" + (factor.Permille / 1000m).ToString("0.###", CultureInfo.InvariantCulture) : factor.Amount.ToString(),
        factor.Name switch
        {
            "base" => "one core with 1 GiB at the owner's base prices",
            "utilisation" => $"{Amounts.Of("cpu", state.Total.MilliCpus - state.Free.MilliCpus)} of {Amounts.Of("cpu", state.Total.MilliCpus)} in use, and this one",
            "time-of-day" => "the owner's table of hours",
            "market" => "what offers won and lost at",
            "owner" => "the owner's own factor",
            _ => "what it asks",
        },
        factor.Amount);
}
