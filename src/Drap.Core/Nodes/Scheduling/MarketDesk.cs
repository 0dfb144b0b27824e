using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>Asks the market without wanting anything: quotes for a plan, and how the workers are.</summary>
internal sealed class MarketDesk(SchedulerContext context, PlacementDesk placement)
{
    /// <summary>Questions under way at once; more are refused.</summary>
    private const int OpenMax = 64;

    /// <summary>Who has not answered by then is silent.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly List<PlanRound> plans = [];
    private readonly List<SurveyRound> surveys = [];
    private ulong nonce = 1UL << 63;

    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Never;
            foreach (PlanRound plan in plans)
                next = Instant.Min(next, plan.Until);
            foreach (SurveyRound survey in surveys)
                next = Instant.Min(next, survey.Until);
            return next;
        }
    }

    public void Plan(SchedulerInput.Plan plan)
    {
        if (plans.Count >= OpenMax)
        {
            context.Emit(new SchedulerEffect.Done(plan.Ticket, new SchedulerReply.Refused(RefusedBecause.Busy, "too many plans at once")));
            return;
        }
        var round = new PlanRound(plan.Ticket, context.Now + Patience);
        for (int i = 0; i < plan.Spec.Segments.Length; i++)
        {
            SegmentSpec segment = plan.Spec.Segments[i];
            int count = JobForm.TaskCount(segment);
            // Each way of running the tasks is asked for, since the best offer for any of them will win.
            for (int variant = 0; variant <= segment.Alternatives.Length; variant++)
            {
                GroupTerms terms = SegmentTerms.Of(segment, variant, context.Options.Prices, Instant.Never, context.Now, context.Now);
                string topic = context.Allocator.TopicOf(terms, context.Options.Region);
                (string heard, int audience) = context.Allocator.Ask(topic);
                Ad ad = context.Allocator.QuoteAd(terms, i + 1, Math.Max(1, count), audience);
                var asked = new PlanAd(ad.Id, i, terms.Bid, audience);
                asked.Answers.AddRange(context.Allocator.OutOfHearing(topic, terms.Resources));
                round.Asked.Add(asked);
                context.Emit(new SchedulerEffect.Publish(heard, ad));
            }
        }
        plans.Add(round);
    }

    /// <summary>The groups under which a segment is advertised, with what the market says to each; empty while it wants nothing.</summary>
    public ImmutableArray<GroupStanding> Explain(JobRun job, SegmentRun segment) =>
        [.. placement.GroupsOf(segment).Select(g =>
        {
            (Price bid, bool patient, Instant since) = context.Allocator.Describe(g.Group);
            GroupTerms terms = placement.TermsOf(job, segment, g.Variant);
            string topic = context.Allocator.TopicOf(terms, context.Options.Region);
            return new GroupStanding(
                g.Variant, terms, bid, patient, since, [.. context.Allocator.Answers(g.Group), .. context.Allocator.OutOfHearing(topic, terms.Resources)],
                context.Allocator.Audience(topic));
        })];

    public void OnQuote(PeerId from, Quote quote)
    {
        foreach (PlanRound plan in plans)
            foreach (PlanAd asked in plan.Asked)
                if (asked.Ad == quote.Ad && asked.Answered.Add(from) && asked.Answered.Count <= AnswersMax)
                {
                    asked.Answers.AddRange(quote.Entries.Select(e => new GroupAnswer(from, context.Now, e, null, "")));
                    asked.Answers.AddRange(quote.Refusals.Select(r => new GroupAnswer(from, context.Now, null, r, "")));
                }
    }

    /// <summary>Answers kept a segment.</summary>
    private const int AnswersMax = 1024;

    public void Survey(SchedulerInput.Survey survey)
    {
        if (surveys.Count >= OpenMax)
        {
            context.Emit(new SchedulerEffect.Done(survey.Ticket, new SchedulerReply.Refused(RefusedBecause.Busy, "too many surveys at once")));
            return;
        }
        ImmutableArray<PeerId> members = context.Allocator.AllMembers();
        var round = new SurveyRound(survey.Ticket, ++nonce, context.Now, members);
        foreach (PeerId member in members)
            context.Emit(new SchedulerEffect.Send(member, new Probe(round.Nonce, true)));
        surveys.Add(round);
    }

    /// <summary>Asks a worker what it owns.</summary>
    public void Ask(PeerId worker) => context.Emit(new SchedulerEffect.Send(worker, new Probe(++nonce, true)));

    public void OnProbeReply(PeerId from, ProbeReply reply)
    {
        if (reply.State is null)
            return;
        context.Allocator.Owns(from, reply.State.Total);
        foreach (SurveyRound survey in surveys)
            if (survey.Nonce == reply.Nonce && survey.Answered.Add(from))
                survey.Nodes.Add(new SurveyedNode(from, reply.State, context.Allocator.BackedOff(from, context.Now)?.Reason ?? "", context.Complaints.Of(from)));
    }

    /// <summary>Answers what is complete, or out of patience.</summary>
    public void Flush()
    {
        for (int i = plans.Count - 1; i >= 0; i--)
        {
            PlanRound plan = plans[i];
            if (context.Now < plan.Until && !plan.Asked.All(a => a.Answered.Count >= a.Expected))
                continue;
            plans.RemoveAt(i);
            context.Emit(new SchedulerEffect.Done(plan.Ticket, new SchedulerReply.Quotes([.. plan.Asked.GroupBy(a => a.Segment).Select(s =>
                new SegmentQuotes(s.Key, s.First().Bid, [.. s.SelectMany(a => a.Answers).OrderBy(a => a.Worker)], s.Max(a => Math.Max(0, a.Expected - a.Answered.Count))))])));
        }
        for (int i = surveys.Count - 1; i >= 0; i--)
        {
            SurveyRound survey = surveys[i];
            if (context.Now < survey.Until && survey.Answered.Count < survey.Asked.Length)
                continue;
            surveys.RemoveAt(i);
            context.Emit(new SchedulerEffect.Done(survey.Ticket, new SchedulerReply.Surveyed(
                [.. survey.Nodes.OrderBy(n => n.State.Name, StringComparer.Ordinal).ThenBy(n => n.Peer)],
                [.. survey.Asked.Where(p => !survey.Answered.Contains(p)).Select(p => new SilentNode(p, context.NameOf(p), context.Now - survey.Since))
                    .OrderBy(n => n.Name, StringComparer.Ordinal).ThenBy(n => n.Peer)])));
        }
    }

    private sealed record PlanRound(Ticket Ticket, Instant Until)
    {
        public List<PlanAd> Asked { get; } = [];
    }

    private sealed record PlanAd(AdId Ad, int Segment, Price Bid, int Expected)
    {
        public HashSet<PeerId> Answered { get; } = [];

        public List<GroupAnswer> Answers { get; } = [];
    }

    private sealed record SurveyRound(Ticket Ticket, ulong Nonce, Instant Since, ImmutableArray<PeerId> Asked)
    {
        public Instant Until => Since + Patience;

        public HashSet<PeerId> Answered { get; } = [];

        public List<SurveyedNode> Nodes { get; } = [];
    }
}
