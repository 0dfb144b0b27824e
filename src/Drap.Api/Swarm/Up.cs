namespace Drap.Api;

/// <summary>What <c>drap up -o json</c> and <c>drap join -o json</c> say when the node is up.</summary>
public sealed record UpDocument : Document
{
    /// <summary>The swarm, and the node in it.</summary>
    public required MembershipDocument Swarm { get; set; }

    /// <summary>A ticket for the next machine; null where the node may let nobody in.</summary>
    public TicketDocument? Ticket { get; set; }

    /// <summary>The node's process.</summary>
    public int Pid { get; set; }
}
