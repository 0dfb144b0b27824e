using Drap.Api;
using Drap.Core.Journal;
using Drap.Core.Nodes;
using Drap.Node.Home;
using Drap.Node.Storage.Etcd;

namespace Drap.Node.Service;

/// <summary>Reads the journal and the logs of a home in which nothing runs.</summary>
public sealed class StoppedHome : IStoppedHome
{
    /// <inheritdoc/>
    public async Task<INodeService> OpenAsync(HomeFolder home, CancellationToken cancel)
    {
        SchedulerNode node = await Task.Run(() => Read(home), cancel).ConfigureAwait(false);
        return new StoppedService(new NodeService(new StoppedPort(node), home) { Mode = "stopped" }, home);
    }

    private static SchedulerNode Read(HomeFolder home)
    {
        string folder = home.JournalFolder;
        var state = new SchedulerState();
        try
        {
            if (EtcdAddress.Read(home.JournalPlaceFile) is { } place)
                throw new HomeException(HomeProblem.NotUsable, $"no node runs in {home}, and its journal is in {place}", "drap up starts the node, which reads it there");
            using JournalLog log = JournalLog.Open(new FrozenStorage(folder), new JournalOptions(Salt: 0), new SchedulerReplay(state));
            // Never started: it only holds the state for those who read.
            return new SchedulerNode(new SchedulerOptions { Scheduler = default }, state, log.CreateBuffer(), new Prng(0));
        }
        catch (JournalException e)
        {
            throw new ApiException(ErrorCodes.Storage, e.Message, folder);
        }
        catch (InvalidDataException e)
        {
            throw new ApiException(ErrorCodes.Storage, e.Message, null, "the version of drap that wrote it, or a later one");
        }
    }
}
