using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Xunit;

namespace Drap.Core.Tests.Nodes;

/// <summary>
/// Plays a text file against a <see cref="WorkerNode"/>. A file is blocks: commands, a line of dashes, and the effects that the flush after
/// them gives. Blocks are divided by blank lines; lines with # are prose. With DRAP_RECORD=1 the effects are written instead of compared.
/// </summary>
internal sealed class WorkerScript
{
    private static readonly JobId Job = new(new Guid("00000000-0000-0000-0000-000000000001"));

    private readonly Dictionary<string, OfferId> offers = [];
    private readonly Dictionary<OfferId, string> offerNames = [];
    private readonly Dictionary<AdId, string> adNames = [];
    private readonly Dictionary<string, AdId> ads = [];
    private readonly Dictionary<PeerId, string> peers = [];
    private readonly List<WorkerEffect> effects = [];
    private WorkerNode node = null!;
    private WorkerOptions options = null!;
    private Instant now = new(1_000_000_000);

    public static void Run(string name, [CallerFilePath] string caller = "")
    {
        string path = Path.Combine(Path.GetDirectoryName(caller)!, "TestData", name + ".txt");
        string text = File.ReadAllText(path);
        string played = new WorkerScript().Play(text);
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") == "1")
            File.WriteAllText(path, played);
        else
            Assert.Equal(text, played);
    }

    private string Play(string text)
    {
        var output = new StringBuilder();
        bool inGolden = false;
        foreach (string line in text.TrimEnd('\n').Split('\n'))
        {
            if (line == "----")
            {
                output.Append("----\n");
                node.Flush(now, effects);
                node.CheckInvariants();
                foreach (WorkerEffect effect in effects)
                    if (Show(effect) is { } shown)
                        output.Append(shown).Append('\n');
                effects.Clear();
                inGolden = true;
            }
            else if (line.Length == 0)
            {
                inGolden = false;
                output.Append('\n');
            }
            else if (!inGolden)
            {
                output.Append(line).Append('\n');
                if (line[0] != '#')
                    Do(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            }
        }
        return output.ToString();
    }

    private void Do(string[] words)
    {
        var arguments = words.Skip(1).Where(w => w.Contains('=')).Select(w => w.Split('=', 2))
            .GroupBy(p => p[0]).ToDictionary(g => g.Key, g => g.Last()[1]);
        ImmutableArray<string> plain = [.. words.Skip(1).Where(w => !w.Contains('='))];
        string Text(string name, string usual = "") => arguments.GetValueOrDefault(name, usual);
        int Int(string name, int usual) => arguments.TryGetValue(name, out string? v) ? int.Parse(v, CultureInfo.InvariantCulture) : usual;
        TimeSpan Time(string name, string usual) => Span(Text(name, usual));
        PeerId from = Peer(Text("from", "s1"));
        PeerId scheduler = Peer(Text("scheduler", Text("from", "s1")));
        var epoch = new Epoch(Int("epoch", 1));
        switch (words[0])
        {
            case "worker":
                options = OptionsOf(arguments);
                node = new WorkerNode(Peer("w"), options, new Prng(1));
                break;
            case "configure":
                options = OptionsOf(arguments);
                Step(new WorkerInput.Configure(options));
                break;
            case "ad":
                var id = new AdId(Guid.Parse($"00000000-0000-0000-0000-{int.Parse(plain[0][1..], CultureInfo.InvariantCulture):d12}"));
                ads[plain[0]] = id;
                adNames[id] = plain[0];
                Receive(from, new Ad
                {
                    Id = id, Scheduler = scheduler, Principal = new Principal(Text("principal", "p1")), Epoch = epoch,
                    Sequence = Int("seq", int.Parse(plain[0][1..], CultureInfo.InvariantCulture)), Undecided = Int("undecided", 0), Audience = Int("audience", 4),
                    AnswerPermille = Int("permille", 1000), Stands = Time("stands", "30s"), Window = Time("window", "60ms"),
                    QuoteOnly = plain.Contains("quote"), Groups = [.. words.Where(w => w.StartsWith("g=", StringComparison.Ordinal)).Select(w => Group(w[2..]))],
                });
                break;
            case "confirm":
                string template = Template(Text("timeout", "0s"), plain.Contains("stop"), Text("driver", "process"));
                string[] tasks = Text("tasks").Split(',');
                Receive(from, new Confirm
                {
                    Offer = OfferOf(plain[0]), Scheduler = scheduler, Principal = new Principal(Text("principal", "p1")), Epoch = epoch,
                    Lease = Time("lease", "30s"), AwaitGo = plain.Contains("awaitgo"),
                    Works = [new Work(Job, Int("group", 1), new Price(Int("ask", 1_000_000)), [.. Encoding.UTF8.GetBytes(plain.Contains("broken") ? "{" : template)], [])],
                    Tasks = [.. tasks.SelectMany(Range).Select(t => new Assignment { Work = 0, Number = t.Number, Attempt = t.Attempt, Index = t.Number - 1 })],
                });
                break;
            case "heartbeat":
                Receive(from, new Heartbeat(scheduler, epoch, Int("n", 1), Time("lease", "30s"), 0, Int("heard", 0)));
                break;
            case "reconcile":
                Receive(from, new Reconcile(scheduler, epoch, Time("lease", "30s"), Attempts(plain), !plain.Contains("partial")));
                break;
            case "cancel":
                Receive(from, new Cancel(Attempts(plain), Enum.Parse<CancelReason>(Text("reason", "User")), Time("grace", "5s")));
                break;
            case "release":
                Receive(from, new Release(Attempts(plain)));
                break;
            case "steal":
                Receive(from, new Steal(Attempts(plain)));
                break;
            case "go":
                Receive(from, new Go(Attempts(plain)));
                break;
            case "ack":
                Receive(from, new ResultAck(Attempts(plain)));
                break;
            case "closed":
                Receive(from, new Closed(ads[plain[0]], [.. plain.Skip(1).Select(int.Parse)]));
                break;
            case "extend":
                Receive(from, new Extend(OfferOf(plain[0]), Time("for", "1s")));
                break;
            case "probe":
                Receive(from, new Probe(7, Market: true));
                break;
            case "started":
                foreach (AttemptId attempt in Attempts(plain))
                    Step(new WorkerInput.AttemptStarted(attempt, now));
                break;
            case "ended":
                foreach (AttemptId attempt in Attempts(plain))
                    Step(new WorkerInput.AttemptEnded(
                        attempt, new AttemptEnd(Enum.Parse<EndKind>(Text("kind", "Exited")), Int("code", 0), Text("detail")), [],
                        new AttemptUsage(Time("wall", "10ms"), TimeSpan.Zero, 0, 0)));
                break;
            case "tick":
                now = plain.Contains("next") ? node.NextDeadline : now + Span(plain[0]);
                Step(WorkerInput.Tick.Instance);
                break;
            case "drain":
                Step(new WorkerInput.Drain(Span(plain[0])));
                break;
            case "ends":
                Step(new WorkerInput.Ends(Span(plain[0])));
                break;
            case "degraded":
                Step(new WorkerInput.Degraded(plain[0]));
                break;
            case "recovered":
                Step(new WorkerInput.Recovered());
                break;
            case "gone":
                Step(new WorkerInput.PeerGone(from));
                break;
            case "utc":
                Step(new WorkerInput.Utc(new UtcTime(0) + Span(plain[0])));
                break;
            case "rtt":
                Step(new WorkerInput.RoundTrip(from, Span(plain[0])));
                break;
            case "restored":
                Step(new WorkerInput.Restored(
                    [new SchedulerEpoch(scheduler, epoch)],
                    [.. Attempts(plain).Select(a => new StoredResult(
                        scheduler, new Principal("p1"), new Price(1_000_000), default,
                        new AttemptResult { Attempt = a, Outcome = Outcome.Succeeded, Wall = TimeSpan.FromSeconds(2) }))],
                    [.. Text("leftovers").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(a => new Leftover(scheduler, Attempt(a)))]));
                break;
            default:
                Assert.Fail($"no such command: {words[0]}");
                break;
        }
    }

    private void Receive(PeerId from, Message message) => Step(new WorkerInput.Received(from, message));

    private void Step(WorkerInput input) => node.Step(input, now, effects);

    private static WorkerOptions OptionsOf(Dictionary<string, string> a) => new()
    {
        Resources = new NodeResources
        {
            MilliCpus = long.Parse(a.GetValueOrDefault("cpus", "4"), CultureInfo.InvariantCulture) * 1000,
            MemoryBytes = long.Parse(a.GetValueOrDefault("memory", "8"), CultureInfo.InvariantCulture) << 30,
            DiskBytes = 100L << 30, NetworkMbps = long.Parse(a.GetValueOrDefault("network", "0"), CultureInfo.InvariantCulture),
            Gpus = [.. Enumerable.Range(0, int.Parse(a.GetValueOrDefault("gpus", "0"), CultureInfo.InvariantCulture)).Select(i => new GpuDevice(i, "A100", 40L << 30))],
        },
        Traits = new NodeTraits
        {
            Labels = [.. a.GetValueOrDefault("labels", "").Split(',', StringSplitOptions.RemoveEmptyEntries)],
            Drivers = [.. a.GetValueOrDefault("drivers", "process").Split(',')], Architecture = "x86_64",
        },
        Principals = [.. a.GetValueOrDefault("allow", "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(p => new Principal(p))],
        Sandbox = new SandboxRules
        {
            Owner = new Principal(a.GetValueOrDefault("owner", "p1")), Missing = a.GetValueOrDefault("nosandbox", ""), Network = a.ContainsKey("gives"),
        },
        // A round price for a core, so that the curve shows in the asks and not the memory.
        Pricing = new()
        {
            Table = new() { Core = new Price(100_000), MemoryGiB = Price.Zero, DiskGiB = Price.Zero },
            Discount = new(int.Parse(a.GetValueOrDefault("bundle", "1000000"), CultureInfo.InvariantCulture), 20),
        },
        Quota = new()
        {
            TasksMax = int.Parse(a.GetValueOrDefault("tasks", "1000000"), CultureInfo.InvariantCulture), SharePermille = int.Parse(a.GetValueOrDefault("share", "1000"), CultureInfo.InvariantCulture),
            BytesMax = long.Parse(a.GetValueOrDefault("bytes", "1000000000"), CultureInfo.InvariantCulture), HoldsMax = int.Parse(a.GetValueOrDefault("offers", "256"), CultureInfo.InvariantCulture),
        },
        Credit = a.TryGetValue("credit", out string? credit)
            ? new CreditTerms { DailyAllowance = new Credits(long.Parse(credit, CultureInfo.InvariantCulture)), Cap = new Credits(long.Parse(credit, CultureInfo.InvariantCulture)) } : null,
        IdleTimeout = a.TryGetValue("idle", out string? idle) ? Span(idle) : null,
        OutboxBytesMax = long.Parse(a.GetValueOrDefault("outbox", "1000000"), CultureInfo.InvariantCulture),
    };

    private static TaskGroup Group(string text)
    {
        Dictionary<string, string> a = text.Split(',').Select(p => p.Split(':', 2)).ToDictionary(p => p[0], p => p.Length > 1 ? p[1] : "");
        long Number(string name, long usual) => a.TryGetValue(name, out string? v) ? long.Parse(v, CultureInfo.InvariantCulture) : usual;
        return new TaskGroup
        {
            Id = (int)Number("id", 1), Count = (int)Number("count", 1),
            Resources = new ResourceRequest
            {
                MilliCpus = Number("cpu", 1) * 1000, MemoryBytes = Number("memory", 0) << 30, NetworkMbps = Number("net", 0),
                Gpu = a.ContainsKey("gpu") ? new GpuRequest { Count = (int)Number("gpu", 1) } : null,
                Named = a.TryGetValue("licence", out string? n) ? [new NamedAmount("licence", long.Parse(n, CultureInfo.InvariantCulture))] : [],
            },
            Placement = new Placement
            {
                Labels = a.TryGetValue("label", out string? label) ? [label] : [],
                NotLabels = a.TryGetValue("not", out string? not) ? [not] : [],
                Architecture = a.GetValueOrDefault("arch", ""), Region = a.GetValueOrDefault("region", ""),
            },
            Driver = a.GetValueOrDefault("driver", "process"), Handler = a.GetValueOrDefault("handler", ""),
            Estimate = Span(a.GetValueOrDefault("est", "0s")), Bid = new Price(Number("bid", 1_000_000)),
            InputBytes = Number("inputs", 0), Deadline = a.TryGetValue("deadline", out string? d) ? Span(d) : null, Priority = (int)Number("prio", 0),
            FirmOnly = a.ContainsKey("firm") || a.ContainsKey("gang"), Patient = a.ContainsKey("patient"),
            GangSize = (int)Number("gang", 0), GangAge = Span(a.GetValueOrDefault("age", "0s")), PerWorkerMax = (int)Number("max", 0),
        };
    }

    private static string Template(string timeout, bool stop, string driver)
    {
        var spec = new TaskSpec
        {
            Timeout = Span(timeout), OnSchedulerLost = stop ? OnSchedulerLost.Stop : OnSchedulerLost.Finish,
            Driver = Enum.Parse<Driver>(driver, ignoreCase: true),
        };
        return Encoding.UTF8.GetString(JobJson.Write(spec));
    }

    private string? Show(WorkerEffect effect) => effect switch
    {
        WorkerEffect.Send send => $"{Name(send.To)} <- {Show(send.Message)}",
        WorkerEffect.Launch launch => $"launch {Name(launch.Order.Attempt)}"
            + (launch.Order.Grant.Devices.IsEmpty ? "" : $" devices {string.Join(',', launch.Order.Grant.Devices)}")
            + $" lease {At(launch.Order.Guard.LeaseEnd)}" + (launch.Order.Guard.StopsAtLeaseEnd ? " stops" : "")
            + (launch.Order.Sandbox is { } sandbox ? $" in a sandbox with{(sandbox.Network ? "" : " no")} network" : ""),
        WorkerEffect.Signal signal => $"signal {Name(signal.Attempt)} {signal.Kind}",
        WorkerEffect.LeasesUntil until => $"leases of {Name(until.Scheduler)} until {At(until.At)}",
        WorkerEffect.Forget forget => $"forget {Names(forget.Attempts)}",
        WorkerEffect.StoreOutbox store => $"store {Name(store.Result.Result.Attempt)} for {Name(store.Result.Scheduler)}",
        WorkerEffect.DropOutbox drop => $"drop {Names(drop.Attempts)}",
        WorkerEffect.StoreEpoch epoch => $"store epoch {epoch.Epoch} of {Name(epoch.Scheduler)}",
        WorkerEffect.DropEpoch epoch => $"drop epoch of {Name(epoch.Scheduler)}",
        WorkerEffect.Left { Cause: LeaveCause.Told } => "left",
        WorkerEffect.Left left => $"left: {left.Cause}",
        WorkerEffect.Observe observe => Show(observe.What),
        _ => null,
    };

    private string Show(Message message) => message switch
    {
        Offer offer => $"Offer {Named(offer.Id)} on {adNames[offer.Ad]} valid {Span(offer.Valid)}"
            + (offer.DiscountFrom > 0 ? $" -{offer.DiscountPermille} from {offer.DiscountFrom}" : "") + string.Concat(offer.Entries.Select(Show)),
        Refusal refusal => $"Refusal {adNames[refusal.Ad]}" + string.Concat(refusal.Entries.Select(Show)),
        Quote quote => $"Quote {adNames[quote.Ad]}" + string.Concat(quote.Entries.Select(Show)) + string.Concat(quote.Refusals.Select(Show)),
        Ack ack => $"Ack {offerNames.GetValueOrDefault(ack.Offer, "?")}",
        Nack nack => $"Nack {offerNames.GetValueOrDefault(nack.Offer, "?")} {nack.Reason} {Names(nack.Refused)}".TrimEnd(),
        Result result => "Result" + string.Concat(result.Entries.Select(
            e => $" {Name(e.Attempt)}:{e.Outcome}" + (e.ExitCode != 0 ? $"({e.ExitCode})" : "") + (e.Detail.Length > 0 ? $" '{e.Detail}'" : ""))),
        HeartbeatReply reply => $"HeartbeatReply {reply.Number} set {(reply.LeaseSet == 0 ? "empty" : "held")} started {Names(reply.Started)}".TrimEnd(),
        ReconcileReply reply => $"ReconcileReply held [{Names(reply.Held)}] finished [{Names(reply.Finished)}]" + (reply.Complete ? "" : " more"),
        Notice notice => $"Notice {notice.Kind} {Names(notice.Attempts)}".TrimEnd(),
        Drap.Core.Messages.Receipt receipt => $"Receipt {receipt.Principal}" + string.Concat(receipt.Entries.Select(e => $" {Name(e.Attempt)} {Span(e.Billed)} {e.Amount.Micro}")),
        ProbeReply { State: { } s } => $"ProbeReply free {s.Free.MilliCpus}m of {s.Total.MilliCpus}m running {s.Running} waiting {s.Waiting} holds {s.Holds}"
            + (s.Draining ? " draining" : "") + (s.EndsIn is { } left ? $" ends in {Span(left)}" : "") + $" ask {s.Prices[^1].Amount}",
        _ => message.ToString(),
    };

    private static string Show(OfferEntry e) =>
        $"; {e.Group}: {e.Count} {(e.Firm ? "firm" : "soft")}" + (e.Backlog > 0 ? $" +{e.Backlog}" : "") + $" at {e.Ask.MicroPerHour}";

    private static string Show(RefusalEntry e) =>
        $"; {e.Group}: {e.Reason}" + (e.Detail.Length > 0 ? $" {e.Detail}" : "") + (e.Ask > Price.Zero ? $" {e.Ask.MicroPerHour}" : "")
        + string.Concat(e.Shortages.Select(s => $" {s.Dimension} {s.Needed}>{s.Available}"));

    private string? Show(WorkerObservation what) => what switch
    {
        WorkerObservation.Offered => null,
        WorkerObservation.HoldLapsed lapsed => $"({Named(lapsed.Offer)} lapsed)",
        WorkerObservation.HoldTaken taken => $"({Named(taken.Offer)} taken by {adNames[taken.By]})",
        WorkerObservation.Replayed replayed => $"(replayed {adNames[replayed.Ad]})",
        WorkerObservation.BadMessage bad => $"(bad {bad.Kind} from {Name(bad.From)}: {bad.What})",
        WorkerObservation.Confirmed confirmed => $"({confirmed.Leases} leases, {confirmed.Refused} refused)",
        WorkerObservation.LeasesEnded ended => $"(leases of {Name(ended.Scheduler)} ended: {ended.Orphaned} orphaned, {ended.Stopped} stopped, {ended.Dropped} dropped)",
        WorkerObservation.Adopted adopted => $"({Name(adopted.Scheduler)} adopted {adopted.Attempts})",
        WorkerObservation.ResultsDropped dropped => $"({dropped.Count} results dropped)",
        WorkerObservation.Ending ending => $"(ending {Name(ending.Attempt)}: {ending.Because})",
        _ => $"({what})",
    };

    private string Named(OfferId id)
    {
        if (!offerNames.TryGetValue(id, out string? name))
        {
            name = $"o{offerNames.Count + 1}";
            offerNames[id] = name;
            offers[name] = id;
        }
        return name;
    }

    private OfferId OfferOf(string name) => offers.GetValueOrDefault(name);

    private PeerId Peer(string name)
    {
        Span<byte> key = stackalloc byte[32];
        Encoding.ASCII.GetBytes(name, key);
        var peer = PeerId.FromEd25519(key);
        peers[peer] = name;
        return peer;
    }

    private string Name(PeerId peer) => peers[peer];

    private static string Name(AttemptId id) => $"{id.Task.Number}#{id.Fence.Attempt}" + (id.Fence.Epoch.Value == 1 ? "" : $"@{id.Fence.Epoch}");

    private static string Names(ImmutableArray<AttemptId> ids) => string.Join(' ', ids.Select(Name));

    private static ImmutableArray<AttemptId> Attempts(ImmutableArray<string> words) =>
        [.. words.Where(w => char.IsAsciiDigit(w[0])).SelectMany(w => Range(w).Select(t => Id(t.Number, t.Attempt, t.Epoch)))];

    private static AttemptId Attempt(string word) => Range(word).Select(t => Id(t.Number, t.Attempt, t.Epoch)).Single();

    private static AttemptId Id(int number, int attempt, long epoch) => new(new TaskId(Job, number), new Fence(new Epoch(epoch), attempt));

    /// <summary><c>3</c>, <c>3-5</c>, <c>3#2</c>, <c>3#2@7</c>.</summary>
    private static IEnumerable<(int Number, int Attempt, long Epoch)> Range(string word)
    {
        string[] atEpoch = word.Split('@');
        string[] atAttempt = atEpoch[0].Split('#');
        string[] ends = atAttempt[0].Split('-');
        int first = int.Parse(ends[0], CultureInfo.InvariantCulture), last = int.Parse(ends[^1], CultureInfo.InvariantCulture);
        int attempt = atAttempt.Length > 1 ? int.Parse(atAttempt[1], CultureInfo.InvariantCulture) : 1;
        long epoch = atEpoch.Length > 1 ? long.Parse(atEpoch[1], CultureInfo.InvariantCulture) : 1;
        for (int i = first; i <= last; i++)
            yield return (i, attempt, epoch);
    }

    private static TimeSpan Span(string text) =>
        text.EndsWith("ms", StringComparison.Ordinal) ? TimeSpan.FromMilliseconds(double.Parse(text[..^2], CultureInfo.InvariantCulture))
        : TimeSpan.FromSeconds(double.Parse(text.TrimEnd('s'), CultureInfo.InvariantCulture));

    private static string Span(TimeSpan span) => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.###}ms");

    private static string At(Instant at) => string.Create(CultureInfo.InvariantCulture, $"{(at.Nanoseconds - 1_000_000_000) / 1_000_000}ms");
}
