using System.Collections.Immutable;
using System.Text;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Xunit;

namespace Drap.Core.Tests.Nodes;

/// <summary>
/// Random inputs, well formed but otherwise hostile: schedulers that lie, repeat themselves, confirm what was not offered, go back in their
/// epochs; drivers that are late; owners who shrink the machine. Whatever comes, the invariants hold and in the end everything is free.
/// </summary>
public sealed class WorkerStormTests
{
    [Theory]
    [InlineData(120)]
    public void Whatever_comes_the_invariants_hold_and_in_the_end_all_is_free(int seeds)
    {
        var met = new SortedDictionary<string, int>();
        for (ulong seed = 1; seed <= (ulong)seeds; seed++)
        {
            try
            {
                new Storm(seed, met).Run(steps: 400);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
            }
        }
        // A storm in which something never happens proves nothing about it.
        foreach (string kind in Kinds)
            Assert.True(met.GetValueOrDefault(kind) > 0, $"never met: {kind}; met: {string.Join(", ", met)}");
    }

    private static readonly string[] Kinds =
    [
        "Ack", "Nack", "Offer", "Refusal", "Quote", "HeartbeatReply", "ReconcileReply", "Result", "Receipt", "Notice", "ProbeReply",
        "Launch", "Signal", "StoreOutbox", "DropOutbox", "StoreEpoch", "LeasesUntil", "Forget", "Left",
        "HoldLapsed", "HoldTaken", "Adopted", "LeasesEnded", "Replayed", "BadMessage", "Ending", "backlog", "partial nack",
        "reserved",
    ];

    [Fact]
    public void The_same_seed_gives_the_same_effects() => Assert.Equal(new Storm(7, []).Run(600), new Storm(7, []).Run(600));

    private sealed class Storm(ulong seed, SortedDictionary<string, int> met)
    {
        private static readonly PeerId[] Peers = [Peer(1), Peer(2), Peer(3)];
        private static readonly ImmutableArray<byte>[] Templates =
        [
            Template(OnSchedulerLost.Finish, TimeSpan.Zero), Template(OnSchedulerLost.Stop, TimeSpan.FromSeconds(3)),
            Template(OnSchedulerLost.Finish, TimeSpan.FromSeconds(5)), [.. "{\"driver\":7}"u8.ToArray()], [],
        ];

        private readonly Prng random = new(seed);
        private readonly WorkerNode node = new(Peer(9), Options(8, 1), new Prng(seed));
        private readonly List<WorkerEffect> effects = [];
        private readonly List<(PeerId From, Offer Offer, Ad Ad)> offers = [];
        private readonly Dictionary<AdId, Ad> ads = [];
        private readonly List<AttemptId> running = [];
        private readonly List<AttemptId> seen = [];
        private readonly StringBuilder trace = new();
        private Instant now = new(1_000_000_000_000);
        private int confirms, answers, launches, left;

        public string Run(int steps)
        {
            for (int i = 0; i < steps; i++)
            {
                for (int batch = random.Below(4); batch >= 0; batch--)
                    node.Step(Next(), now, effects);
                Drain();
                now += new TimeSpan(random.Chance(1, 30) ? random.Between(0, 400_000_000) : random.Between(0, 300_000));
            }
            Finish();
            return trace.ToString();
        }

        private void Finish()
        {
            node.Step(new WorkerInput.Drain(TimeSpan.FromSeconds(1)), now, effects);
            Drain();
            for (int i = 0; i < 200 && left == 0; i++)
            {
                foreach (AttemptId attempt in running.ToArray())
                    node.Step(Ended(attempt), now, effects);
                running.Clear();
                Drain();
                now += TimeSpan.FromSeconds(1);
                node.Step(WorkerInput.Tick.Instance, now, effects);
            }
            NodeState state = node.Describe(now);
            Assert.Equal(1, left);
            Assert.Equal(0, node.Attempts);
            Assert.Equal(state.Total, state.Free);
            Assert.Equal(confirms, answers);
        }

        private void Drain()
        {
            node.Flush(now, effects);
            node.CheckInvariants();
            Assert.True(node.NextDeadline > now || node.NextDeadline + TimeSpan.FromSeconds(60) > now);
            foreach (WorkerEffect effect in effects)
            {
                trace.Append(effect.GetType().Name).Append(' ');
                Note(effect);
                switch (effect)
                {
                    case WorkerEffect.Launch launch:
                        launches++;
                        Assert.DoesNotContain(launch.Order.Attempt, running);
                        running.Add(launch.Order.Attempt);
                        seen.Add(launch.Order.Attempt);
                        break;
                    case WorkerEffect.Send { Message: Offer offer } send:
                        Assert.All(offer.Entries, e => Assert.True(e.Count + e.Backlog > 0 && e.Count >= 0 && e.Backlog >= 0));
                        Assert.True(offer.Valid > TimeSpan.Zero);
                        offers.Add((send.To, offer, ads[offer.Ad]));
                        trace.Append(offer.Id.Value);
                        break;
                    case WorkerEffect.Send { Message: Ack or Nack }:
                        answers++;
                        break;
                    case WorkerEffect.Signal signal:
                        Assert.Contains(signal.Attempt, seen);
                        break;
                    case WorkerEffect.Left:
                        left++;
                        break;
                }
            }
            effects.Clear();
        }

        private void Note(WorkerEffect effect)
        {
            Meet(effect switch
            {
                WorkerEffect.Send send => send.Message.GetType().Name,
                WorkerEffect.Observe observe => observe.What.GetType().Name,
                _ => effect.GetType().Name,
            });
            switch (effect)
            {
                case WorkerEffect.Send { Message: Offer offer }:
                    if (offer.Entries.Any(e => e is { Firm: false, Count: > 0 }))
                        Meet("soft offer");
                    if (offer.Entries.Any(e => e.Backlog > 0))
                        Meet("backlog");
                    break;
                case WorkerEffect.Send { Message: Nack nack }:
                    Meet(nack.Reason.ToString());
                    if (!nack.Refused.IsEmpty)
                        Meet("partial nack");
                    break;
                case WorkerEffect.Send { Message: Refusal refusal }:
                    if (refusal.Entries.Any(e => e.Reason == RefusalReason.Reserved))
                        Meet("reserved");
                    break;
            }

            void Meet(string kind) => met[kind] = met.GetValueOrDefault(kind) + 1;
        }

        private WorkerInput Next()
        {
            PeerId from = Peers[random.Below(Peers.Length)];
            switch (random.Below(24))
            {
                case < 5:
                    return new WorkerInput.Received(from, RandomAd(from));
                // Every third storm hardly ever confirms: there holds lapse, and soft offers begin.
                case < 10 when offers.Count > 0 && (seed % 3 != 0 || random.Chance(1, 12)):
                    return new WorkerInput.Received(random.Chance(9, 10) ? offers[^1].From : from, RandomConfirm(from));
                case < 14 when running.Count > 0:
                    AttemptId ended = running[random.Below(running.Count)];
                    running.Remove(ended);
                    return Ended(ended);
                case 14 when running.Count > 0:
                    return new WorkerInput.AttemptStarted(running[random.Below(running.Count)], now);
                case 15:
                    return new WorkerInput.Received(from, new Heartbeat(from, RandomEpoch(), random.Below(50), Span(40_000), 0));
                case 16:
                    return new WorkerInput.Received(from, new Reconcile(from, RandomEpoch(), Span(40_000), Some(), random.Chance(1, 2)));
                case 17:
                    return new WorkerInput.Received(from, random.Below(4) switch
                    {
                        0 => new Cancel(Some(), (CancelReason)random.Between(0, 9), Span(9_000)),
                        1 => new Release(Some()),
                        2 => new Steal(Some()),
                        _ => new Go(Some()),
                    });
                case 18:
                    return new WorkerInput.Received(from, new ResultAck(Some()));
                case 19 when offers.Count > 0:
                    (PeerId to, Offer offer, Ad ad) = offers[random.Below(offers.Count)];
                    return new WorkerInput.Received(to, random.Chance(1, 2)
                        ? new Extend(offer.Id, Span(5_000))
                        : new Closed(ad.Id, random.Chance(1, 2) ? [] : [random.Below(3)]));
                case 20:
                    return new WorkerInput.Configure(Options(random.Between(1, 12), random.Below(3)));
                case 21:
                    return random.Chance(1, 3) ? new WorkerInput.Degraded("disk") : new WorkerInput.Recovered();
                case 22:
                    return new WorkerInput.Received(from, random.Chance(1, 2) ? new Probe(1, true) : new Ack(default));
                default:
                    return random.Chance(1, 2) ? new WorkerInput.PeerGone(from) : WorkerInput.Tick.Instance;
            }
        }

        private Ad RandomAd(PeerId from)
        {
            var ad = new Ad
            {
                Id = new AdId(random.NextUuid()), Scheduler = from, Principal = new Principal("p" + random.Below(3)), Epoch = RandomEpoch(),
                Sequence = random.Chance(1, 5) ? random.Below(3000) : now.Nanoseconds / 1000, Audience = random.Chance(1, 3) ? random.Below(500) : 4,
                AnswerPermille = random.Chance(1, 5) ? random.Below(1000) : 1000, Stands = Span(60_000), Window = Span(300),
                QuoteOnly = random.Chance(1, 20),
                Groups = [.. Enumerable.Range(0, (int)random.Between(1, 3)).Select(i => new TaskGroup
                {
                    Id = random.Chance(1, 2) ? i : i + (int)random.Between(0, 40) * 3, Count = (int)random.Between(1, random.Chance(1, 4) ? 5000 : 6),
                    Resources = new ResourceRequest
                    {
                        MilliCpus = random.Chance(1, 9) ? 0 : random.Between(1, 9) * 500, MemoryBytes = random.Below(4) * (1L << 30),
                        Gpu = random.Chance(1, 6) ? new GpuRequest { Share = random.Chance(1, 2) ? 5000 : 10_000 } : null,
                    },
                    Driver = "process", Bid = new Price(random.Between(0, 1_000_000)), Estimate = Span(3_000),
                    Deadline = random.Chance(1, 8) ? Span(5_000) : null, Priority = random.Below(3), FirmOnly = random.Chance(1, 5),
                    Patient = random.Chance(1, 8), GangSize = random.Chance(1, 6) ? 2 : 0, GangAge = Span(10_000),
                    PerWorkerMax = random.Chance(1, 6) ? 2 : 0,
                })],
            };
            ads[ad.Id] = ad;
            return ad;
        }

        private Confirm RandomConfirm(PeerId from)
        {
            confirms++;
            (_, Offer offer, Ad ad) = random.Chance(3, 4) ? offers[^1] : offers[random.Below(offers.Count)];
            OfferEntry entry = offer.Entries[random.Below(offer.Entries.Length)];
            int most = Math.Min(entry.Count + entry.Backlog, 40) + (random.Chance(1, 10) ? 1 : 0);
            return new Confirm
            {
                Offer = random.Chance(1, 30) ? default : offer.Id, Scheduler = random.Chance(9, 10) ? ad.Scheduler : from,
                Principal = ad.Principal, Epoch = random.Chance(9, 10) ? ad.Epoch : RandomEpoch(), Lease = Span(40_000), AwaitGo = random.Chance(1, 5),
                Works = [new Work(new JobId(new Guid(1, 0, 0, new byte[8])), random.Chance(19, 20) ? entry.Group : 77, random.Chance(9, 10) ? entry.Ask : Price.Zero,
                    Templates[random.Chance(19, 20) ? random.Below(3) : random.Below(Templates.Length)], [])],
                Tasks = [.. Enumerable.Range(0, (int)random.Between(0, most)).Select(_ => new Assignment
                {
                    Work = random.Chance(1, 50) ? 3 : 0, Number = (int)random.Between(random.Chance(1, 60) ? -1 : 1, 300),
                    Attempt = (int)random.Between(1, 2), Index = 0,
                })],
            };
        }

        private WorkerInput.AttemptEnded Ended(AttemptId attempt) => new(
            attempt, new AttemptEnd((EndKind)random.Between(1, 7), random.Below(3), ""), [],
            new AttemptUsage(Span(3_000), TimeSpan.Zero, 0, 0));

        private ImmutableArray<AttemptId> Some()
        {
            if (seen.Count == 0)
                return [];
            return [.. Enumerable.Range(0, random.Below(8)).Select(_ => seen[^(1 + random.Below(Math.Min(seen.Count, 20)))])];
        }

        private Epoch RandomEpoch() => new(random.Chance(1, 25) ? random.Below(60) : now.Nanoseconds / 20_000_000_000);

        private TimeSpan Span(int milliseconds) => TimeSpan.FromMilliseconds(random.Below(milliseconds));

        private static WorkerOptions Options(long cpus, int gpus) => new()
        {
            Resources = new NodeResources
            {
                MilliCpus = cpus * 1000, MemoryBytes = 16L << 30, Gpus = [.. Enumerable.Range(0, gpus).Select(i => new GpuDevice(i, "A100", 40L << 30))],
            },
            Traits = new NodeTraits { Drivers = ["process"] },
            Credit = new CreditTerms { DailyAllowance = new Credits(100), Cap = new Credits(100) },
            Quota = cpus % 3 != 0 ? new QuotaTerms() : new QuotaTerms { TasksMax = 5, SharePermille = 600, BytesMax = 4_000, HoldsMax = 3 },
        };

        private static ImmutableArray<byte> Template(OnSchedulerLost lost, TimeSpan timeout) =>
            [.. JobJson.Write(new TaskSpec { OnSchedulerLost = lost, Timeout = timeout })];

        private static PeerId Peer(byte n)
        {
            byte[] key = new byte[32];
            key[0] = n;
            return PeerId.FromEd25519(key);
        }
    }
}
