using System.Collections.Immutable;

namespace Drap.Api;

/// <summary>The swarm that a node belongs to, as that node sees it.</summary>
public sealed record MembershipDocument : Document
{
    /// <summary>What people call it.</summary>
    public string Name { get; set; } = "";

    /// <summary>The swarm: the peer id of its founder's key.</summary>
    public PeerId Swarm { get; set; }

    /// <summary>Whether it was founded here: the key is here that lets anybody in and removes anybody.</summary>
    public bool IsFounder { get; set; }

    /// <summary>Whether this node may let others in.</summary>
    public bool MayInvite { get; set; }

    /// <summary>What this node is now, of what its certificate allows: <c>worker</c>, <c>scheduler</c>, <c>gateway</c>, <c>inviter</c>.</summary>
    public ImmutableArray<string> Roles { get; set; } = [];

    /// <summary>This node and its workers, then the other members that are connected to it, by name.</summary>
    public ImmutableArray<MemberDocument> Nodes { get; set; } = [];

    /// <summary>Tickets that were handed out here, the youngest first.</summary>
    public ImmutableArray<InvitationDocument> Invitations { get; set; } = [];

    /// <summary>Nodes that were removed.</summary>
    public ImmutableArray<RemovedDocument> Removed { get; set; } = [];
}

/// <summary>One member of a swarm.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="Peer">Its peer id.</param>
public sealed record MemberDocument(string Name, PeerId Peer)
{
    /// <summary>Who is behind it.</summary>
    public string Principal { get; set; } = "";

    /// <summary>What it may do: <c>worker</c>, <c>scheduler</c>, <c>gateway</c>, <c>inviter</c>.</summary>
    public ImmutableArray<string> Roles { get; set; } = [];

    /// <summary>When its certificate expires.</summary>
    public UtcTime Expires { get; set; }

    /// <summary>Who let it in; the swarm's own name where the founder did.</summary>
    public PeerId Issuer { get; set; }

    /// <summary>Whether it is this node, or a worker of it.</summary>
    public bool IsHere { get; set; }

    /// <summary>Where it is reached, as far as is known: multiaddrs.</summary>
    public ImmutableArray<string> Addresses { get; set; } = [];
}

/// <summary>A ticket that was handed out.</summary>
public sealed record InvitationDocument
{
    /// <summary>What the newcomer gets.</summary>
    public ImmutableArray<string> Roles { get; set; } = [];

    /// <summary>Who is behind the newcomer.</summary>
    public string Principal { get; set; } = "";

    /// <summary>Until when it is good.</summary>
    public UtcTime Expires { get; set; }

    /// <summary>Who came with it; null until somebody did.</summary>
    public PeerId? UsedBy { get; set; }

    /// <summary>What that one is called.</summary>
    public string? UsedByName { get; set; }
}

/// <summary>A node that was removed.</summary>
/// <param name="Peer">The node.</param>
/// <param name="By">Who removed it: the founder's key, who let it in, or itself.</param>
/// <param name="At">When.</param>
public sealed record RemovedDocument(PeerId Peer, PeerId By, UtcTime At)
{
    /// <summary>What it is called, where that is known.</summary>
    public string? Name { get; set; }

    /// <summary>A line for people.</summary>
    public string Reason { get; set; } = "";
}

/// <summary>What a ticket is to be worth.</summary>
public sealed record InviteRequest : Document
{
    /// <summary>What the newcomer gets; empty for worker and scheduler.</summary>
    public ImmutableArray<string> Roles { get; set; } = [];

    /// <summary>Who is behind the newcomer; null for the same as behind this node.</summary>
    public string? Principal { get; set; }

    /// <summary>How long the ticket is good; null for a day, at most 90 days.</summary>
    public TimeSpan? GoodForSeconds { get; set; }

    /// <summary>How long the newcomer's certificate lasts; null for a year, at most 400 days.</summary>
    public TimeSpan? MemberForSeconds { get; set; }
}

/// <summary>A ticket.</summary>
public sealed record TicketDocument : Document
{
    /// <summary>The ticket, one word: whoever has it may come in, once.</summary>
    public string Ticket { get; set; } = "";

    /// <summary>Until when it is good.</summary>
    public UtcTime Expires { get; set; }

    /// <summary>What the newcomer gets.</summary>
    public ImmutableArray<string> Roles { get; set; } = [];

    /// <summary>Who is behind the newcomer.</summary>
    public string Principal { get; set; } = "";
}

/// <summary>Which node is to be removed.</summary>
public sealed record RemovalRequest : Document
{
    /// <summary>Its name, its peer id, or the end of that.</summary>
    public string Node { get; set; } = "";

    /// <summary>A line for people.</summary>
    public string Reason { get; set; } = "";
}

/// <summary>Who was removed.</summary>
public sealed record RemovalReply : Document
{
    /// <summary>The node.</summary>
    public required RemovedDocument Removed { get; set; }
}

/// <summary>Which node is to take nothing new.</summary>
public sealed record DrainRequest : Document
{
    /// <summary>Its name, its peer id, or the end of that; null for this node.</summary>
    public string? Node { get; set; }
}

/// <summary>A node that takes nothing new from now on.</summary>
public sealed record DrainedDocument : Document
{
    /// <summary>What people call it.</summary>
    public string Name { get; set; } = "";

    /// <summary>The node.</summary>
    public PeerId Peer { get; set; }
}
