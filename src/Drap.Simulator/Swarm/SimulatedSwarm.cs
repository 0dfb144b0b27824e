using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Network;

namespace Drap.Simulator.Swarm;

/// <summary>
/// A swarm in virtual time: the machines that run in a node, one scheduler and several workers, over a simulated network and disk. Tasks
/// run as <see cref="RunsLike"/> says. What it counts lies outside the machines, so that it can say what they must not get wrong.
/// </summary>
public sealed class SimulatedSwarm
{
    private readonly Dictionary<string, PeerId> peers = new(StringComparer.Ordinal);
    private readonly Dictionary<PeerId, SimulatedWorker> workers = [];
    private readonly SortedDictionary<string, SortedSet<PeerId>> hearers = new(StringComparer.Ordinal);
    private readonly SortedDictionary<TaskId, List<(Instant From, Instant To)>> executions = [];
    private readonly Dictionary<JobId, JobSpec> submitted = [];
    private readonly Prng prng;

    /// <summary>A swarm of a scheduler and of one worker for each of <paramref name="nodes"/>.</summary>
    public SimulatedSwarm(ulong seed, params ReadOnlySpan<NodeResources> nodes)
    {
        Simulation = new Simulation(seed);
        Network = new SimulatedNetwork(Simulation);
        prng = Simulation.NewPrng();
        Scheduler = new SimulatedScheduler(this, Simulation.NewPeer(prng));
        foreach (NodeResources node in nodes)
            AddWorker(new WorkerOptions
            {
                Name = $"w{workers.Count + 1}",
                Resources = node,
                Traits = new NodeTraits { Architecture = "x86_64", Drivers = ["dotnet", "process"], Handlers = ["noop"] },
            });
    }

    /// <summary>Virtual time.</summary>
    public Simulation Simulation { get; }

    /// <summary>The network.</summary>
    public SimulatedNetwork Network { get; }

    /// <summary>The scheduler.</summary>
    public SimulatedScheduler Scheduler { get; }

    /// <summary>The workers, by peer id.</summary>
    public IReadOnlyDictionary<PeerId, SimulatedWorker> Workers => workers;

    /// <summary>How long a task runs, and with which exit code it ends. Default: 100 ms, 0.</summary>
    public Func<TaskId, SimulatedWorker, (TimeSpan Time, int ExitCode)> RunsLike { get; set; } = (_, _) => (TimeSpan.FromMilliseconds(100), 0);

    /// <summary>
    /// What becomes of a message between two machines, beside what the network does to it: the delay of each copy that is sent. None at all
    /// is a lost message, two are a duplicate. Null, the default, sends each once and at once. Ads on a topic are not asked about.
    /// </summary>
    public Func<PeerId, PeerId, Message, ImmutableArray<TimeSpan>>? Copies { get; set; }

    /// <summary>Whether the machines' invariants are checked after each step. Default true; it walks everything, so large swarms turn it off.</summary>
    public bool ChecksInvariants { get; set; } = true;

    /// <summary>What tasks left and take.</summary>
    public SimulatedBlobs Blobs { get; } = new();

    /// <summary>Messages of each kind that were sent.</summary>
    public SortedDictionary<MessageKind, long> Messages { get; } = [];

    /// <summary>When each task ran, each time that it did.</summary>
    public IReadOnlyDictionary<TaskId, List<(Instant From, Instant To)>> Executions => executions;

    /// <summary>The wall clock: it began in 2026.</summary>
    public UtcTime Utc => new(1_780_000_000_000 + Simulation.Now.Nanoseconds / 1_000_000);

    /// <summary>Adds a worker, which joins at once.</summary>
    public SimulatedWorker AddWorker(WorkerOptions options)
    {
        var worker = new SimulatedWorker(this, Simulation.NewPeer(prng), options);
        workers.Add(worker.Peer, worker);
        Scheduler.Named(worker.Peer, options.Name);
        worker.Start();
        return worker;
    }

    /// <summary>Submits a job and returns its id.</summary>
    public JobId Submit(JobSpec spec)
    {
        JobSpec whole = JobForm.Complete(spec);
        ImmutableArray<JobProblem> problems = JobRules.Check(whole);
        if (!problems.IsEmpty)
            throw new ArgumentException(string.Join("; ", problems));
        var id = new JobId(prng.NextUuid());
        submitted.Add(id, whole);
        Scheduler.Submit(id, whole);
        return id;
    }

    /// <summary>Submits a job once more, as a client does that got no answer.</summary>
    public void Resubmit(JobId id) => Scheduler.Submit(id, submitted[id]);

    /// <summary>Runs until all jobs have ended; false if they have not within <paramref name="limit"/>.</summary>
    public bool RunToEnd(TimeSpan limit) =>
        Simulation.RunUntil(() => Scheduler.State is { OpenJobs: 0 } state && state.Jobs.Count > 0, Simulation.Now + limit);

    /// <summary>Runs for some time.</summary>
    public void RunFor(TimeSpan time) => Simulation.RunFor(time);

    /// <summary>Called with each message that is sent; for a published one the receiver is the sender.</summary>
    public Action<PeerId, PeerId, Message>? Sent { get; set; }

    internal void Send(PeerId from, PeerId to, Message message)
    {
        Sent?.Invoke(from, to, message);
        Count(message);
        byte[] frame = MessageCodec.Encode(message);
        foreach (TimeSpan delay in Copies?.Invoke(from, to, message) ?? AtOnce)
            if (delay == TimeSpan.Zero)
                Network.Send(from.ToString(), to.ToString(), frame);
            else
                Simulation.After(delay, () => Network.Send(from.ToString(), to.ToString(), frame));
    }

    private static readonly ImmutableArray<TimeSpan> AtOnce = [TimeSpan.Zero];

    internal void Publish(PeerId from, string topic, Ad ad)
    {
        Count(ad);
        Sent?.Invoke(from, from, ad);
        byte[] frame = MessageCodec.Encode(ad);
        foreach (PeerId hearer in hearers.GetValueOrDefault(topic, []))
            Network.Send(from.ToString(), hearer.ToString(), frame);
    }

    internal void Subscribe(PeerId worker, string topic)
    {
        if (!hearers.TryGetValue(topic, out SortedSet<PeerId>? set))
            hearers[topic] = set = [];
        set.Add(worker);
        Scheduler.AudienceChanged(topic, [.. set]);
    }

    internal void Unsubscribe(PeerId worker, string topic)
    {
        if (hearers.TryGetValue(topic, out SortedSet<PeerId>? set) && set.Remove(worker))
            Scheduler.AudienceChanged(topic, [.. set]);
    }

    internal IEnumerable<(string Topic, ImmutableArray<PeerId> Members)> Audiences() => hearers.Select(h => (h.Key, h.Value.ToImmutableArray()));

    internal void Attach(PeerId peer, Action<PeerId, Message> receive)
    {
        peers[peer.ToString()] = peer;
        Network.Attach(peer.ToString(), (from, frame) =>
        {
            bool ok = MessageCodec.TryDecode(frame.Span, out Message? message, out Core.Cbor.CodecError error);
            if (!ok)
                throw new InvalidOperationException($"a machine sent what cannot be read: {error}");
            receive(peers[from], message!);
        });
    }

    internal void Detach(PeerId peer)
    {
        Network.Detach(peer.ToString());
        foreach (string topic in hearers.Keys.ToArray())
            Unsubscribe(peer, topic);
    }

    internal void Executed(TaskId task, Instant from, Instant to)
    {
        if (!executions.TryGetValue(task, out List<(Instant, Instant)>? list))
            executions[task] = list = [];
        list.Add((from, to));
    }

    private void Count(Message message)
    {
        MessageKind kind = MessageCodec.KindOf(message);
        Messages[kind] = Messages.GetValueOrDefault(kind) + 1;
    }
}
