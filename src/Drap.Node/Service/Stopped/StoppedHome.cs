using Drap.Api;
using Drap.Core.Journal;
using Drap.Core.Nodes;
using Drap.Node.Home;

namespace Drap.Node.Service;

/// <summary>Reads the journal and the logs of a home in which nothing runs.</summary>
public sealed class StoppedHome : IStoppedHome
{
    /// <inheritdoc/>
    public async Task<INodeService> OpenAsync(HomeFolder home, CancellationToken cancel)
    {
        SchedulerNode node = await Task.Run(() => Read(home.JournalFolder), cancel).ConfigureAwait(false);
        return new StoppedService(new NodeService(new StoppedPort(node), home) { Mode = "stopped" }, home);
    }

    private static SchedulerNode Read(string folder)
    {
        var replay = new Replay();
        try
        {
            using JournalLog log = JournalLog.Open(new FrozenStorage(folder), new JournalOptions(Salt: 0), replay);
            // Never started: it only holds the state for those who read.
            return new SchedulerNode(new SchedulerOptions { Scheduler = default }, replay.State, log.CreateBuffer(), new Prng(0));
        }
        catch (JournalException e)
        {
            throw new ApiException(ErrorCodes.Storage, e.Message, folder);
        }
    }

    private sealed class Replay : IJournalReplay
    {
        public SchedulerState State { get; } = new();

        public void Snapshot(long sequence, in JournalRecord record) => Apply(sequence, record);

        public void Record(long sequence, in JournalRecord record) => Apply(sequence, record);

        private void Apply(long sequence, in JournalRecord record)
        {
            if (!SchedulerRecords.TryRead(record, out SchedulerRecord? read, out string? error))
                throw new ApiException(ErrorCodes.Storage, $"the journal's record {sequence} is {error}", null, "the version of drap that wrote it, or a later one");
            State.Apply(read);
        }
    }
}
