using Drap.Api;
using Drap.Core.Nodes;

namespace Drap.Node.Service;

/// <summary>A scheduler that stands still: it can be read, one reader at a time, and does nothing.</summary>
internal sealed class StoppedPort(SchedulerNode node) : ISchedulerPort
{
    private readonly Lock gate = new();

    public static ApiException NotRunning() => new(
        ErrorCodes.Conflict, "no node runs in this home; what is kept there can only be read", null, "start one: drap dev, or drap run with a job");

    public Task<SchedulerReply> AskAsync(Func<Ticket, SchedulerInput> request, CancellationToken cancel) =>
        Task.FromException<SchedulerReply>(NotRunning());

    public Task<T> ReadAsync<T>(Func<SchedulerNode, Instant, T> read, CancellationToken cancel)
    {
        try
        {
            lock (gate)
                return Task.FromResult(read(node, Instant.Zero));
        }
        catch (ApiException e)
        {
            return Task.FromException<T>(e);
        }
    }

    public void Post(SchedulerInput input) => throw NotRunning();

    public IDisposable Watch(ISchedulerWatcher watcher) => throw NotRunning();
}
