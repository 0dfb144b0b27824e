using System.Collections.Immutable;

namespace Drap.Core.Membership;

/// <summary>What a node may do in a swarm, as its certificate says. What it does of that is its owner's choice.</summary>
[Flags]
public enum NodeRoles
{
    /// <summary>Nothing: no certificate says so.</summary>
    None = 0,

    /// <summary>Offer for tasks and run them.</summary>
    Worker = 1,

    /// <summary>Advertise tasks and have them run by others.</summary>
    Scheduler = 2,

    /// <summary>Let others find the swarm by it, and pass their bytes on.</summary>
    Gateway = 4,

    /// <summary>Let others in, of any principal, and remove those whom it let in.</summary>
    Inviter = 8,
}

/// <summary>Roles as people write them.</summary>
public static class RoleWords
{
    /// <summary>All roles that this version knows.</summary>
    public const NodeRoles All = NodeRoles.Worker | NodeRoles.Scheduler | NodeRoles.Gateway | NodeRoles.Inviter;

    /// <summary>What a newcomer gets unless the invitation says otherwise: to give work and to take it.</summary>
    public const NodeRoles Usual = NodeRoles.Worker | NodeRoles.Scheduler;

    /// <summary>What <see cref="TryParse"/> reads.</summary>
    public const string Form = "worker, scheduler, gateway, inviter";

    private static readonly (NodeRoles Role, string Word)[] Words =
        [(NodeRoles.Worker, "worker"), (NodeRoles.Scheduler, "scheduler"), (NodeRoles.Gateway, "gateway"), (NodeRoles.Inviter, "inviter")];

    /// <summary>The words, in a fixed order; roles of later versions have none here.</summary>
    public static ImmutableArray<string> Of(NodeRoles roles) => [.. Words.Where(w => roles.HasFlag(w.Role)).Select(w => w.Word)];

    /// <summary>The role of a word; none for one that is no word of <see cref="Form"/>.</summary>
    public static NodeRoles Of(string word) => Words.FirstOrDefault(w => w.Word == word).Role;

    /// <summary>Reads words with commas between; false if one is none of <see cref="Form"/>, or there is none.</summary>
    public static bool TryParse(string text, out NodeRoles roles)
    {
        roles = NodeRoles.None;
        foreach (string word in text.Split(',', StringSplitOptions.TrimEntries))
        {
            NodeRoles role = Of(word);
            if (role == NodeRoles.None)
                return false;
            roles |= role;
        }
        return true;
    }
}
