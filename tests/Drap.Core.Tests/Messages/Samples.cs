using System.Collections.Immutable;
using Drap.Core.Messages;

namespace Drap.Core.Tests.Messages;

/// <summary>One plain message of each kind, as a small swarm would say it.</summary>
internal static class Samples
{
    private static readonly PeerId Scheduler = PeerId.FromEd25519([.. Enumerable.Range(1, 32).Select(i => (byte)i)]);
    private static readonly JobId Job = new(Guid.Parse("0b9ef0d2-8a4b-4d0e-9a51-3f8c2b7d6e10"));
    private static readonly AdId AdId = new(Guid.Parse("11111111-2222-4333-8444-555555555555"));
    private static readonly OfferId OfferId = new(Guid.Parse("66666666-7777-4888-9999-aaaaaaaaaaaa"));
    private static readonly Epoch Epoch = new(1_763_650_000_000);
    private static readonly Cid Blob = Cid.Of(CidCodec.Raw, "hello\n"u8);

    public static ImmutableArray<Message> All { get; } =
    [
        AdOf(2, 3),
        new Offer
        {
            Id = OfferId, Ad = AdId, Valid = TimeSpan.FromMilliseconds(500), DiscountFrom = 8, DiscountPermille = 50,
            Entries = [new() { Group = 1, Count = 3, Backlog = 6, Ask = new Price(1_200_000), Firm = true, Measured = TimeSpan.FromMilliseconds(40) }],
        },
        new Refusal(AdId, [new(2, RefusalReason.Busy, [new Shortage("memory", 2L << 30, 1L << 30)], Price.Zero, "")]),
        new Extend(OfferId, TimeSpan.FromSeconds(1)),
        new Confirm
        {
            Offer = OfferId, Scheduler = Scheduler, Principal = Principal.Local, Epoch = Epoch, Lease = TimeSpan.FromSeconds(30),
            Works = [new Work(Job, 1, new Price(1_200_000), [.. "{\"command\":[\"true\"]}"u8], [new SecretVariable("TOKEN", "hidden")])],
            Tasks =
            [
                new() { Work = 0, Number = 1, Attempt = 1, Index = 0, Item = "\"a.txt\"", Inputs = [new("in/a.txt", Blob, 6, false)] },
                new() { Work = 0, Number = 2, Attempt = 2, Index = 1 },
            ],
        },
        new Ack(OfferId),
        new Nack(OfferId, NackReason.Gone, [Attempt(2)]),
        new Go([Attempt(1), Attempt(2)]),
        new Release([Attempt(1)]),
        new Heartbeat(Scheduler, Epoch, 17, TimeSpan.FromSeconds(30), 0x0123_4567_89ab_cdef),
        new HeartbeatReply(17, 0x0123_4567_89ab_cdef, [Attempt(1)]),
        new Reconcile(Scheduler, Epoch, TimeSpan.FromSeconds(30), [Attempt(1), Attempt(2), Attempt(5)], true),
        new ReconcileReply(Epoch, [Attempt(1)], [Attempt(2)], true),
        new Probe(42, true),
        new ProbeReply(42, new NodeState
        {
            Name = "worker-1", Total = Owned(8000), Free = Owned(2000), Running = 6,
            Traits = new() { Labels = ["ssd"], Architecture = "x86_64", Drivers = ["dotnet", "process"] },
            Prices = [new("base", 0, new Price(1_000_000)), new("utilisation", 1_500, new Price(1_500_000))],
        }),
        new Notice(NoticeKind.Returned, [Attempt(3)], TimeSpan.Zero),
        new Cancel([Attempt(1)], CancelReason.Settled, TimeSpan.FromSeconds(5)),
        new Result(Scheduler,
        [
            new()
            {
                Attempt = Attempt(1), Outcome = Outcome.Succeeded, Outputs = [new("counts", Blob, 6)],
                Wall = TimeSpan.FromMilliseconds(12), Cpu = TimeSpan.FromMilliseconds(9), PeakMemoryBytes = 5_000_000, LogBytes = 12,
            },
            new() { Attempt = Attempt(2), Outcome = Outcome.Failed, ExitCode = 1, Detail = "exit code 1" },
        ]),
        new ResultAck([Attempt(1), Attempt(2)]),
        new Core.Messages.Receipt(Principal.Local, [new(Attempt(1), new Price(1_200_000), TimeSpan.FromMilliseconds(12), new Credits(4))]),
        new Quote(AdId, [new() { Group = 1, Count = 2, Ask = new Price(1_200_000) }], [new(2, RefusalReason.Price, [], new Price(9), "")]),
        new Closed(AdId, [1, 2]),
        new Steal([Attempt(3)]),
        new LogChunk(Attempt(1), 2, 100, [.. "warning\n"u8]),
        new StdinChunk(Attempt(1), 0, [.. "yes\n"u8], true),
        new StdinCredit(Attempt(1), 65_536),
    ];

    public static AttemptId Attempt(int number) => new(new TaskId(Job, number), new Fence(Epoch, 1));

    public static Ad AdOf(int groups, int tasks) => new()
    {
        Id = AdId, Scheduler = Scheduler, Principal = Principal.Local, Epoch = Epoch, Sequence = 17, Audience = 8,
        Stands = TimeSpan.FromSeconds(30), Window = TimeSpan.FromMilliseconds(50),
        Groups =
        [
            .. Enumerable.Range(1, groups).Select(id => new TaskGroup
            {
                Id = id, Count = tasks, Resources = new() { MilliCpus = 2_000, MemoryBytes = 2L << 30 }, Driver = "process",
                Estimate = TimeSpan.FromSeconds(30), Bid = new Price(1_500_000),
            }),
        ],
    };

    private static NodeResources Owned(long milliCpus) => new() { MilliCpus = milliCpus, MemoryBytes = 16L << 30 };
}
