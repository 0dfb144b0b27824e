using Drap.Api;
using Drap.Core;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;
using Refusal = Drap.Api.Refusal;

namespace Drap.Node.Service;

/// <summary>Answers of workers to a group of tasks, as people see them.</summary>
internal static class Verdicts
{
    /// <summary>A run whose length nobody knows counts as a minute, as it does where offers are compared.</summary>
    public static readonly TimeSpan UnknownEstimate = TimeSpan.FromMinutes(1);

    /// <summary>The worker has said nothing to this group yet.</summary>
    public static readonly Refusal NoAnswer = new("no_answer", Available: "it has not answered yet", Ever: true);

    /// <summary>What one worker says to one task: its best offer if any of its answers is one, else each reason once.</summary>
    public static NodeVerdict Of(string name, PeerId peer, IReadOnlyList<GroupAnswer> answers, TimeSpan estimate, Price bid)
    {
        GroupAnswer? offer = answers.Where(a => a.Offer is not null && a.Verdict.Length == 0).MinBy(a => a.Offer!.Ask);
        if (offer?.Offer is { } entry)
            return new NodeVerdict
            {
                Node = name,
                Peer = peer,
                Fits = true,
                Ask = entry.Ask,
                ExpectedCost = entry.Ask.For(RunTime(entry, estimate)),
                StartSeconds = entry.Start,
            };
        return new NodeVerdict { Node = name, Peer = peer, Refusals = [.. answers.SelectMany(a => Refusals(a, bid)).Distinct()] };
    }

    public static TimeSpan RunTime(OfferEntry entry, TimeSpan estimate) =>
        entry.Measured > TimeSpan.Zero ? entry.Measured : estimate > TimeSpan.Zero ? estimate : UnknownEstimate;

    /// <summary>Whether a node will never take the task, whatever leaves it: its size, its kind or its owner's rules.</summary>
    public static bool IsNever(this NodeVerdict verdict) =>
        !verdict.Fits && !verdict.Refusals.IsEmpty && verdict.Refusals.All(
            r => r.Code == ReasonCodes.Complaint || (!r.Ever && r.Code is ReasonCodes.Resource or ReasonCodes.Constraint or ReasonCodes.Principal));

    private static IEnumerable<Refusal> Refusals(GroupAnswer answer, Price bid)
    {
        if (answer.Refusal is not { } no)
            return [new Refusal(
                answer.Verdict.Contains("limit", StringComparison.Ordinal) ? ReasonCodes.Price
                    : answer.Verdict.Contains("deadline", StringComparison.Ordinal) ? ReasonCodes.Deadline
                    : answer.Verdict.Contains("kept away", StringComparison.Ordinal) ? ReasonCodes.BackOff : ReasonCodes.NoRoom,
                Available: answer.Verdict, Ever: true)];
        return no.Reason switch
        {
            RefusalReason.TooSmall => Shortages(no, ever: false),
            RefusalReason.Busy => no.Shortages.IsEmpty ? [new Refusal(ReasonCodes.NoRoom, Available: "all of it is taken", Ever: true)] : Shortages(no, ever: true),
            RefusalReason.Price => [new Refusal(ReasonCodes.Price, "price", $"at most {bid}", no.Ask.ToString(), Ever: true)],
            RefusalReason.Constraint => [new Refusal(ReasonCodes.Constraint, no.Detail)],
            RefusalReason.Driver => [new Refusal(ReasonCodes.Constraint, "driver", no.Detail)],
            RefusalReason.Deadline => [new Refusal(ReasonCodes.Deadline, "deadline", Available: "it could not begin or end in time", Ever: true)],
            RefusalReason.Principal => [new Refusal(ReasonCodes.Principal, "principal", no.Detail, "its owner does not let it in")],
            RefusalReason.Quota when no.Detail == "credit" => [new Refusal(ReasonCodes.Credit, "credit", Available: "the principal's line is at its end, and others want the place", Ever: true)],
            RefusalReason.Quota => [new Refusal(ReasonCodes.Quota, no.Detail, Available: "the principal has as much there as its owner lets it have", Ever: true)],
            RefusalReason.Draining => [new Refusal(ReasonCodes.NoRoom, "draining", Available: no.Detail.Length > 0 ? no.Detail : "it takes no new work", Ever: true)],
            RefusalReason.Reserved => [new Refusal(ReasonCodes.NoRoom, "reserve", Available: "what is free is kept for others", Ever: true)],
            _ => [new Refusal(ReasonCodes.WorkerFault, null, Available: no.Detail, Ever: true)],
        };
    }

    private static IEnumerable<Refusal> Shortages(RefusalEntry no, bool ever) =>
        no.Shortages.Select(s => new Refusal(ReasonCodes.Resource, s.Dimension, Amounts.Of(s.Dimension, s.Needed), Amounts.Of(s.Dimension, s.Available), ever));
}
