using System.Collections.Immutable;
using System.Diagnostics;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Xunit;

namespace Drap.Core.Tests.Nodes;

/// <summary>A hundred thousand short tasks on eight slots, against a scheduler that takes every offer.</summary>
public sealed class ThroughputTests(ITestOutputHelper output)
{
    [Fact]
    public void Many_short_tasks_cost_few_messages_and_no_storm()
    {
        const int tasks = 100_000;
        var scheduler = new TakesAll(tasks);
        var clock = Stopwatch.StartNew();
        scheduler.Run();
        TimeSpan took = clock.Elapsed;
        output.WriteLine($"{tasks} tasks in {took.TotalMilliseconds:0} ms, {scheduler.Messages} messages, {scheduler.Offers} offers");
        Assert.Equal(tasks, scheduler.Accepted);
        // Offer, confirmation, acknowledgement, and of results, their acknowledgements and receipts one a batch: far below one message a task.
        Assert.InRange(scheduler.Messages, 1, tasks / 10);
        Assert.InRange(scheduler.Offers, 1, tasks / 100);
    }

    private sealed class TakesAll(int tasks)
    {
        // In-process tasks that take a fifth of a millisecond; a batch of inputs is what came within one.
        private static readonly TimeSpan TaskTime = TimeSpan.FromMilliseconds(0.2);

        private static readonly PeerId Id = PeerId.FromEd25519([.. Enumerable.Repeat((byte)1, 32)]);
        private static readonly ImmutableArray<byte> Template = [.. JobJson.Write(new TaskSpec { Driver = Driver.Dotnet, Handler = "noop", Timeout = TimeSpan.FromHours(1) })];
        private static readonly JobId Job = new(new Guid(1, 0, 0, new byte[8]));

        private readonly WorkerNode node = new(PeerId.FromEd25519(new byte[32]), new WorkerOptions
        {
            Resources = new NodeResources { MilliCpus = 8000 },
            Traits = new NodeTraits { Drivers = ["dotnet"], Handlers = ["noop"] },
        }, new Prng(1));

        private readonly List<WorkerEffect> effects = [];
        // An acknowledgement waits for the journal's sync.
        private static readonly TimeSpan Sync = TimeSpan.FromMilliseconds(2);

        private readonly Queue<WorkerInput> inputs = [];
        private readonly Queue<(Instant At, ResultAck Ack)> acks = [];
        private Instant now = new(1_000_000_000);
        private int next = 1;

        public int Accepted { get; private set; }

        public int Messages { get; private set; }

        public int Offers { get; private set; }

        public void Run()
        {
            inputs.Enqueue(new WorkerInput.Received(Id, new Ad
            {
                Id = new AdId(new Guid(2, 0, 0, new byte[8])), Scheduler = Id, Principal = Principal.Local, Epoch = new Epoch(1), Sequence = 1,
                Audience = 1, Window = TimeSpan.FromMilliseconds(60), Stands = TimeSpan.FromMinutes(5),
                Groups = [new TaskGroup
                {
                    Id = 1, Count = tasks, Resources = new ResourceRequest(), Driver = "dotnet", Handler = "noop", Bid = new Price(1_000_000),
                }],
            }));
            while (Accepted < tasks && now.Nanoseconds < 200_000_000_000)
            {
                while (acks.TryPeek(out (Instant At, ResultAck Ack) ack) && ack.At <= now)
                    Send(acks.Dequeue().Ack);
                for (int waiting = inputs.Count; waiting > 0; waiting--)
                    node.Step(inputs.Dequeue(), now, effects);
                node.Flush(now, effects);
                foreach (WorkerEffect effect in effects)
                    Perform(effect);
                effects.Clear();
                now += TaskTime;
                if (inputs.Count == 0 && node.NextDeadline != Instant.Never)
                {
                    now = Instant.Max(now, node.NextDeadline);
                    inputs.Enqueue(WorkerInput.Tick.Instance);
                }
            }
            node.CheckInvariants();
        }

        private void Perform(WorkerEffect effect)
        {
            switch (effect)
            {
                case WorkerEffect.Launch launch:
                    inputs.Enqueue(new WorkerInput.AttemptEnded(launch.Order.Attempt, AttemptEnd.Success, [], new AttemptUsage(TaskTime, TaskTime, 0, 0)));
                    break;
                case WorkerEffect.Send { Message: Offer offer }:
                    Offers++;
                    Messages++;
                    OfferEntry entry = offer.Entries[0];
                    int count = Math.Min(entry.Count + entry.Backlog, tasks - next + 1);
                    if (count > 0)
                        Send(new Confirm
                        {
                            Offer = offer.Id, Scheduler = Id, Principal = Principal.Local, Epoch = new Epoch(1), Lease = TimeSpan.FromSeconds(30),
                            Works = [new Work(Job, 1, entry.Ask, Template, [])],
                            Tasks = [.. Enumerable.Range(0, count).Select(_ => new Assignment { Work = 0, Number = next, Attempt = 1, Index = next++ - 1 })],
                        });
                    break;
                case WorkerEffect.Send { Message: Result result }:
                    Messages++;
                    Accepted += result.Entries.Length;
                    acks.Enqueue((now + Sync, new ResultAck([.. result.Entries.Select(e => e.Attempt)])));
                    break;
                case WorkerEffect.Send:
                    Messages++;
                    break;
            }
        }

        private void Send(Message message)
        {
            Messages++;
            inputs.Enqueue(new WorkerInput.Received(Id, message));
        }
    }
}
