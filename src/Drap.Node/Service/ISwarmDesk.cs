using Drap.Api;

namespace Drap.Node.Service;

/// <summary>What the user may ask of the swarm that a home belongs to; see <see cref="INodeService"/>. Any thread.</summary>
internal interface ISwarmDesk
{
    /// <inheritdoc cref="INodeService.SwarmAsync"/>
    Task<MembershipDocument> SwarmAsync(CancellationToken cancel);

    /// <inheritdoc cref="INodeService.InviteAsync"/>
    Task<TicketDocument> InviteAsync(InviteRequest request, CancellationToken cancel);

    /// <inheritdoc cref="INodeService.RemoveAsync"/>
    Task<RemovalReply> RemoveAsync(RemovalRequest request, CancellationToken cancel);

    /// <inheritdoc cref="INodeService.LeaveAsync"/>
    Task LeaveAsync(CancellationToken cancel);

    /// <inheritdoc cref="INodeService.DrainAsync"/>
    Task<DrainedDocument> DrainAsync(DrainRequest request, CancellationToken cancel);

    /// <summary>Why the node takes no jobs, since it is no scheduler, and who does; null if it takes them.</summary>
    string? WhyNoJobs { get; }
}
