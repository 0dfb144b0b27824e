using Drap.Api;

namespace Drap.Node.Home;

/// <summary>
/// Opens the state of a home in which no process runs, to read. Nothing in the folder changes: no lock is taken, no journal repaired, so
/// any number of readers may do this at once, and one that races with a starting node sees the state of a moment ago.
/// </summary>
public interface IStoppedHome
{
    /// <summary>
    /// The kept jobs, tasks, logs, results and ledger behind the service's read members. The members that would change something throw
    /// <see cref="ApiException"/> with <see cref="ErrorCodes.Conflict"/>.
    /// </summary>
    /// <param name="home">The folder, whose identity was checked.</param>
    /// <param name="cancel">Ends the opening.</param>
    Task<INodeService> OpenAsync(HomeFolder home, CancellationToken cancel);
}
