using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Membership;
using Drap.Core.Messages;
using Drap.Node.Evidences;
using Drap.Node.Identity;
using Drap.Node.Tests.Overlay;
using Xunit;

namespace Drap.Node.Tests.Evidences;

/// <summary>A worker and a scheduler, each with its desk; what one sends the other hears. [MEM-14]</summary>
public sealed class EvidenceTests : IDisposable
{
    private static readonly JobId Job = new(new Guid(1, 0, 0, new byte[8]));
    private readonly string folder = Directory.CreateTempSubdirectory("drap-evidence-").FullName;
    private readonly ConcurrentQueue<string> complaints = new();
    private readonly PeerId swarm, worker, scheduler;

    public EvidenceTests()
    {
        swarm = Identity("swarm").Peer;
        worker = Identity("worker").Peer;
        scheduler = Identity("scheduler").Peer;
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Both_sides_keep_receipts_and_they_add_up_also_after_a_restart()
    {
        using (EvidenceDesk of = Desk("worker"), other = Desk("scheduler"))
        {
            for (int i = 1; i <= 5; i++)
            {
                Offer offer = OfferOf(i);
                other.Hear(worker, of.Sending(scheduler, offer));
                other.Hear(worker, Travelled(of.Sending(scheduler, ReceiptOf(i, i * 100))));
                await UntilAsync(() => Sum("scheduler") is [{ Attempts: var n }] && n == i);
            }
            Assert.Equal([new ReceiptTotal("lab", 5, new Credits(1500))], Sum("worker"));
            Assert.Equal([new ReceiptTotal("owner", 5, new Credits(1500))], Sum("scheduler"));
        }
        using EvidenceDesk again = Desk("worker");
        again.Sending(scheduler, ReceiptOf(6, 7));
        Assert.Equal([new ReceiptTotal("lab", 6, new Credits(1507))], Sum("worker"));
        // What was charged is known again, in its order: credit lines go on where they were.
        Assert.Equal([100, 200, 300, 400, 500, 7], again.Log.Charges().Select(c => c.Amount.Micro));
        Assert.All(again.Log.Charges(), c => Assert.Equal("lab", c.Principal.Name));
        Assert.Empty(complaints);
    }

    [Fact]
    public void A_statement_names_its_messages_in_order_and_is_the_senders_alone()
    {
        using EvidenceDesk of = Desk("worker");
        Offer first = OfferOf(1), second = OfferOf(2);
        of.Sending(scheduler, first);
        of.Sending(Identity("else").Peer, OfferOf(9));
        of.Sending(scheduler, second);
        var receipt = (Receipt)of.Sending(scheduler, ReceiptOf(1, 5));
        Assert.True(SignedStatements.TryOpen(receipt.Seal.AsSpan(), out Statement? statement, out PeerId signer));
        Assert.Equal((worker, swarm, scheduler), (signer, statement.Swarm, statement.Receiver));
        Assert.Equal([.. Hash(first), .. Hash(second), .. Hash(receipt)], statement.Hashes.ToArray());
        // With no offers between, the next names itself alone.
        Assert.True(SignedStatements.TryOpen(((Receipt)of.Sending(scheduler, ReceiptOf(2, 5))).Seal.AsSpan(), out statement, out _));
        Assert.Equal(Statement.HashBytes, statement.Hashes.Length);
    }

    [Fact]
    public void Confirmations_are_signed_with_a_heartbeat_or_an_acknowledgement_at_most_once_a_second_and_without_secrets()
    {
        using EvidenceDesk of = Desk("scheduler");
        Confirm confirm = ConfirmOf("hidden");
        Assert.Same(confirm, of.Sending(worker, confirm));
        var ack = (ResultAck)of.Sending(worker, new ResultAck([]));
        Assert.True(SignedStatements.TryOpen(ack.Seal.AsSpan(), out Statement? statement, out _));
        Assert.Equal(Hash(confirm), statement.Hashes.ToArray());
        Assert.Equal(Hash(confirm), Hash(ConfirmOf("other")));
        Assert.DoesNotContain("hidden", System.Text.Encoding.Latin1.GetString(Evidence.FrameOf(confirm)), StringComparison.Ordinal);
        of.Sending(worker, confirm);
        Assert.Empty(((Heartbeat)of.Sending(worker, new Heartbeat(scheduler, new Epoch(1), 2, TimeSpan.FromSeconds(30), 0))).Seal);
        // Nothing said, nothing signed.
        Assert.Empty(((ResultAck)of.Sending(Identity("else").Peer, new ResultAck([]))).Seal);
    }

    [Fact]
    public async Task What_is_forged_altered_or_meant_for_others_is_not_kept_and_is_complained_of()
    {
        using EvidenceDesk of = Desk("worker"), other = Desk("scheduler"), thief = Desk("thief");
        var honest = (Receipt)of.Sending(scheduler, ReceiptOf(1, 5));
        var elsewhere = (Receipt)of.Sending(Identity("else").Peer, ReceiptOf(2, 5));
        using var stranger = new EvidenceDesk(Identity("other swarm").Peer, Identity("worker").OpenKey(), Path.Combine(folder, "foreign"), _ => null, (_, _) => { });
        (PeerId From, Receipt Said, string Expected)[] all =
        [
            (worker, honest with { Seal = [] }, "no signature"),
            (worker, honest with { Entries = [honest.Entries[0] with { Amount = new Credits(6) }] }, "another receipt"),
            (worker, honest with { Seal = [.. honest.Seal.SkipLast(1), (byte)(honest.Seal[^1] ^ 1)] }, "not what it said"),
            (worker, elsewhere, "not to this node"),
            (worker, (Receipt)stranger.Sending(scheduler, ReceiptOf(3, 5)), "not what it said"),
            (worker, (Receipt)thief.Sending(scheduler, ReceiptOf(4, 5)), "not what it said"),
        ];
        foreach ((PeerId from, Receipt said, string expected) in all)
        {
            complaints.Clear();
            other.Hear(from, Travelled(said));
            await UntilAsync(() => !complaints.IsEmpty);
            Assert.Contains(expected, Assert.Single(complaints), StringComparison.Ordinal);
        }
        Assert.Empty(Sum("scheduler"));
        other.Hear(worker, Travelled(honest));
        await UntilAsync(() => Sum("scheduler").Length == 1);
    }

    [Fact]
    public void Of_two_files_the_older_goes_and_what_it_added_up_to_stays()
    {
        using (var log = new EvidenceLog(Path.Combine(folder, "log")))
        {
            byte[] filler = new byte[1 << 20];
            for (int i = 1; i <= 30; i++)
                log.Add(worker, "lab", [1, 2, 3], [Evidence.FrameOf(ReceiptOf(i, 1)), filler], ReceiptOf(i, 1));
            Assert.Equal([new ReceiptTotal("lab", 30, new Credits(30))], EvidenceLog.Totals(Path.Combine(folder, "log")));
        }
        Assert.InRange(new DirectoryInfo(Path.Combine(folder, "log")).GetFiles().Sum(f => f.Length), EvidenceLog.FileBytesMax, 2 * EvidenceLog.FileBytesMax + (4 << 20));
        using var again = new EvidenceLog(Path.Combine(folder, "log"));
        Assert.InRange(again.Charges().Length, 8, 20);
        Assert.Equal([new ReceiptTotal("lab", 30, new Credits(30))], EvidenceLog.Totals(Path.Combine(folder, "log")));
    }

    [Fact]
    public void A_record_that_was_cut_is_passed_over_and_written_over()
    {
        string path = Path.Combine(folder, "log");
        using (var log = new EvidenceLog(path))
            for (int i = 1; i <= 3; i++)
                log.Add(worker, "lab", [1], [Evidence.FrameOf(ReceiptOf(i, 1))], ReceiptOf(i, 1));
        using (FileStream file = File.OpenWrite(Path.Combine(path, "signed")))
            file.SetLength(file.Length - 5);
        using (var log = new EvidenceLog(path))
            log.Add(worker, "lab", [1], [Evidence.FrameOf(ReceiptOf(4, 1))], ReceiptOf(4, 1));
        Assert.Equal(3, Assert.Single(EvidenceLog.Totals(path)).Attempts);
    }

    private NodeIdentity Identity(string name) => NodeIdentity.Open(Path.Combine(folder, name, "identity.key"));

    private EvidenceDesk Desk(string name) => new(
        swarm, Identity(name).OpenKey(), Path.Combine(folder, name, "evidence"), _ => new Principal("owner"), (_, what) => complaints.Enqueue(what));

    private ImmutableArray<ReceiptTotal> Sum(string name) => EvidenceLog.Totals(Path.Combine(folder, name, "evidence"));

    private static Message Travelled(Message message)
    {
        Assert.True(MessageCodec.TryDecode(MessageCodec.Encode(message), out Message? read, out _));
        return read;
    }

    private static byte[] Hash(Message message) => Evidence.HashOf(Evidence.FrameOf(message));

    private static Offer OfferOf(int number) => new()
    {
        Id = new OfferId(new Guid(number, 0, 0, new byte[8])), Ad = default, Valid = TimeSpan.FromSeconds(1), Entries = [new OfferEntry { Group = number, Count = 1, Ask = new Price(7) }],
    };

    private static Receipt ReceiptOf(int number, long amount) =>
        new(new Principal("lab"), [new ReceiptEntry(new AttemptId(new TaskId(Job, number), new Fence(new Epoch(1), 1)), new Price(1000), TimeSpan.FromSeconds(1), new Credits(amount))]);

    private Confirm ConfirmOf(string secret) => new()
    {
        Offer = default, Scheduler = scheduler, Principal = new Principal("lab"), Epoch = new Epoch(1), Lease = TimeSpan.FromSeconds(30),
        Works = [new Work(Job, 1, new Price(7), [1, 2], [new SecretVariable("TOKEN", secret)])], Tasks = [],
    };

    private static async Task UntilAsync(Func<bool> holds)
    {
        using var late = new CancellationTokenSource(OverlayRecorder.Patience);
        while (!holds())
        {
            Assert.False(late.IsCancellationRequested);
            await Task.Delay(5, Cancel);
        }
    }
}
