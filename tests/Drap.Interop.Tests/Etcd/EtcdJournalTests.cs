using System.Text;
using Drap.Core.Journal;
using Drap.Node.Storage.Etcd;
using Xunit;

namespace Drap.Tests.Interop.Etcd;

/// <summary>The journal over a real etcd of three members: nothing that was acknowledged is lost, and only the leader writes.</summary>
public sealed class EtcdJournalTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_written_is_there_for_who_leads_next()
    {
        await using EtcdCluster cluster = EtcdCluster.Start(3);
        EtcdAddress address = cluster.Address("lab");
        byte[] large = new byte[3 << 20];
        new Random(7).NextBytes(large);
        using (var journal = new Opened(address))
        {
            Assert.Equal(3, journal.Commit("a", "b", "c"));
            journal.Buffer.Append(7, 1, large);
            Assert.Equal(4, journal.Commit());
            JournalSnapshot snapshot = journal.Buffer.BeginSnapshot();
            snapshot.Add(9, 2, large);
            journal.Buffer.EndSnapshot(snapshot);
            snapshot.WriteTo(journal.Storage);
            journal.Log.Install(snapshot);
            Assert.Equal(205, journal.Commit([.. Enumerable.Range(0, 201).Select(i => $"r{i}")]));
        }

        using var next = new Opened(address);
        Assert.Equal(202, next.Lines.Count);
        Assert.Equal(("s4 9.2", large.Length), (next.Lines[0][..6], next.Lines[0].Length - 7));
        Assert.Equal(Enumerable.Range(0, 201).Select(i => $"{5 + i} 7.1 r{i}"), next.Lines[1..]);
        Assert.Equal(206, next.Commit("on it goes"));
        Assert.Equal(["0000000000000000004.snap", "0000000000000000005.log"], next.Storage.List().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_member_that_is_killed_costs_nothing_but_the_election()
    {
        await using EtcdCluster cluster = EtcdCluster.Start(3);
        EtcdAddress address = cluster.Address("lab");
        var committed = new List<string>();
        using (var journal = new Opened(address))
        {
            for (int i = 0; i < 60; i++)
            {
                // The leader, and later a follower or whoever leads now; each comes back.
                int victim = i is 20 or 40 ? await cluster.LeaderAsync(Cancel) : -1;
                if (victim >= 0)
                    cluster.Kill(victim);
                journal.Commit($"r{i}");
                committed.Add($"{i + 1} 7.1 r{i}");
                if (victim >= 0)
                    cluster.Start(victim);
            }
        }
        using var next = new Opened(address);
        Assert.Equal(committed, next.Lines);
    }

    [Fact]
    public async Task A_full_database_stops_acknowledgements_with_a_word_and_goes_on_when_it_has_room()
    {
        await using EtcdCluster cluster = EtcdCluster.Start(3, quota: 16 << 20);
        EtcdAddress address = cluster.Address("lab");
        using var journal = new Opened(address);
        Assert.Equal(1, journal.Commit("before"));
        using (var other = new EtcdClient(address))
        {
            Assert.Throws<EtcdException>(() =>
            {
                for (int i = 0; i < 100; i++)
                    other.TryWrite("junk", 0, [new EtcdWrite.Put($"zz/{i:d4}", new byte[1 << 20])]);
            });

            Task<long> commit = Task.Run(() => journal.Commit("while it is full"), Cancel);
            string? word = await journal.Words.Reader.ReadAsync(Cancel).AsTask().WaitAsync(Patience, Cancel);
            Assert.Contains("database is full", word);
            Assert.Contains("alarm disarm", word);
            Assert.False(commit.IsCompleted);

            other.TryWrite("junk", 0, [new EtcdWrite.DeleteRange("zz/", "zz0")]);
            other.Compact(other.Revision);
            await cluster.MakeRoomAsync(Cancel);
            Assert.Equal(2, await commit.WaitAsync(Patience, Cancel));
            Assert.Null(await journal.Words.Reader.ReadAsync(Cancel).AsTask().WaitAsync(Patience, Cancel));
        }
        Assert.Equal(3, journal.Commit("after"));
    }

    [Fact]
    public async Task Who_was_followed_while_it_slept_changes_nothing()
    {
        await using EtcdCluster cluster = EtcdCluster.Start(3);
        EtcdAddress address = cluster.Address("lab");
        using var client = new EtcdClient(address);
        using var sleeper = new Opened(address, "first");
        sleeper.Commit("of the first");
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        sleeper.Leadership.Lost = lost.SetResult;
        EtcdLeadership? follows = null;
        while (follows is null)
        {
            // It leads on if it wakes first: then once more.
            RevokeLeaseOf(sleeper, client);
            follows = TryFollow(address);
        }
        using (var second = new Opened(address, "second", leadership: follows))
        {
            Assert.True(second.Leadership.Revision > sleeper.Leadership.Revision);
            second.Commit("of the second");

            JournalFailedException failure = Assert.Throws<JournalFailedException>(() => sleeper.Commit("too late"));
            Assert.Equal(JournalStorageFault.Superseded, Assert.IsType<JournalStorageException>(failure.InnerException).Fault);
            Assert.Contains("does not lead the journal", failure.Message);
            Assert.False(client.TryWrite(sleeper.Leadership.Guard, sleeper.Leadership.Revision, [new EtcdWrite.Put("zz", new byte[1])]));
            await lost.Task.WaitAsync(Patience, Cancel);
            Assert.True(sleeper.Leadership.IsLost);
            second.Commit("of the second again");
        }
        using var third = new Opened(address, "third");
        Assert.Equal(["1 7.1 of the first", "2 7.1 of the second", "3 7.1 of the second again"], third.Lines);
    }

    [Fact]
    public async Task Who_slept_and_was_followed_by_nobody_leads_on()
    {
        await using EtcdCluster cluster = EtcdCluster.Start(1);
        EtcdAddress address = cluster.Address("lab");
        using var client = new EtcdClient(address);
        using (var sleeper = new Opened(address))
        {
            for (int i = 0; i < 3; i++)
            {
                long term = sleeper.Leadership.Revision;
                RevokeLeaseOf(sleeper, client);
                Assert.Equal(i + 1, sleeper.Commit($"after sleep {i}"));
                Assert.True(sleeper.Leadership.Revision > term);
            }
            Assert.False(sleeper.Leadership.IsLost);
        }
        using var next = new Opened(address);
        Assert.Equal(["1 7.1 after sleep 0", "2 7.1 after sleep 1", "3 7.1 after sleep 2"], next.Lines);
    }

    [Fact]
    public async Task Who_comes_second_waits_says_for_whom_and_leads_when_the_first_has_gone()
    {
        await using EtcdCluster cluster = EtcdCluster.Start(1);
        EtcdAddress address = cluster.Address("lab");
        var said = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = new Opened(address, "first");
        Task<EtcdLeadership> second = Task.Run(() => EtcdLeadership.Take(address, "second", word => said.TrySetResult(word), Cancel), Cancel);
        Assert.Equal($"first leads {address}", await said.Task.WaitAsync(Patience, Cancel));
        Assert.False(second.IsCompleted);
        first.Dispose();
        using EtcdLeadership leads = await second.WaitAsync(Patience, Cancel);
        Assert.False(leads.IsLost);

        using var stop = new CancellationTokenSource();
        Task<EtcdLeadership> third = Task.Run(() => EtcdLeadership.Take(address, "third", _ => stop.Cancel(), stop.Token), Cancel);
        await Assert.ThrowsAsync<OperationCanceledException>(() => third);
    }

    [Fact]
    public async Task A_journal_is_one_schedulers_and_others_are_told_so()
    {
        await using EtcdCluster cluster = EtcdCluster.Start(1);
        EtcdAddress address = cluster.Address("lab");
        using (var first = new Opened(address))
            first.Commit("its own");
        JournalStorageException refused = Assert.Throws<JournalStorageException>(() => new Opened(address, owner: "s2"));
        Assert.Equal($"the journal {address} is that of s1, and this is s2; give this one a name of its own, or stand by for that one (--standby)", refused.Message);
        using var other = new Opened(cluster.Address("other"), owner: "s2");
        Assert.Empty(other.Lines);
        using var again = new Opened(address);
        Assert.Equal(["1 7.1 its own"], again.Lines);
    }

    /// <summary>Its lease ends, and it does not know: as if it had slept.</summary>
    private static void RevokeLeaseOf(Opened journal, EtcdClient client)
    {
        if (client.Range(journal.Leadership.Guard, journal.Leadership.Guard + '\0') is [var leader])
            client.RevokeLease(Convert.ToInt64(Encoding.UTF8.GetString(leader.Value)[..16], 16));
    }

    /// <summary>Leads in the place of one that sleeps; null if that one woke first.</summary>
    private static EtcdLeadership? TryFollow(EtcdAddress address)
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        try
        {
            return EtcdLeadership.Take(address, "second", _ => gone.Cancel(), gone.Token);
        }
        catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>A journal in etcd, led and open.</summary>
    private sealed class Opened : IJournalReplay, IDisposable
    {
        public Opened(EtcdAddress address, string holder = "test", string owner = "s1", EtcdLeadership? leadership = null)
        {
            Leadership = leadership ?? EtcdLeadership.Take(address, holder, null, Cancel);
            try
            {
                Storage = EtcdJournalStorage.Open(address, owner, Leadership, word => Words.Writer.TryWrite(word));
            }
            catch
            {
                Leadership.Dispose();
                throw;
            }
            Log = JournalLog.Open(Storage, EtcdJournalStorage.Options(0x1234), this);
            Buffer = Log.CreateBuffer();
        }

        public EtcdLeadership Leadership { get; }

        public EtcdJournalStorage Storage { get; }

        public JournalLog Log { get; }

        public JournalBuffer Buffer { get; }

        /// <summary>Why it waited, and null when it went on.</summary>
        public System.Threading.Channels.Channel<string?> Words { get; } = System.Threading.Channels.Channel.CreateUnbounded<string?>();

        /// <summary>What it held.</summary>
        public List<string> Lines { get; } = [];

        public long Commit(params string[] records)
        {
            foreach (string record in records)
                Buffer.Append(7, 1, Encoding.Latin1.GetBytes(record));
            return Log.Write(Buffer.TakeBatch()!);
        }

        public void Snapshot(long sequence, in JournalRecord record) => Lines.Add($"s{Line(sequence, record)}");

        public void Record(long sequence, in JournalRecord record) => Lines.Add(Line(sequence, record));

        public void Dispose()
        {
            Log.Dispose();
            Storage.Dispose();
            Leadership.Dispose();
        }

        private static string Line(long sequence, in JournalRecord record) => $"{sequence} {record.Kind}.{record.Version} {Encoding.Latin1.GetString(record.Body.Span)}";
    }
}
