using System.Diagnostics.CodeAnalysis;

namespace Drap.Core.Membership;

/// <summary>
/// Members whose certificates a node has seen, on a connection or with an ad, and may need again: what a peer says may be looked at when its connection has gone, or
/// come over others. Pure; one caller at a time. [MEM-12]
/// </summary>
public sealed class KnownMembers
{
    /// <summary>Members that are remembered: at half a kilobyte each 2 MiB. At the limit the one whose certificates were seen longest ago is forgotten; it shows them again.</summary>
    public const int CountMax = 4096;

    private readonly Dictionary<PeerId, LinkedListNode<Member>> byPeer = [];
    private readonly LinkedList<Member> bySeen = [];

    /// <summary>How many are remembered.</summary>
    public int Count => byPeer.Count;

    /// <summary>Takes a member in, or what is new of it.</summary>
    public void See(Member member)
    {
        if (byPeer.Remove(member.Peer, out LinkedListNode<Member>? older))
            bySeen.Remove(older);
        else if (byPeer.Count >= CountMax)
        {
            byPeer.Remove(bySeen.First!.Value.Peer);
            bySeen.RemoveFirst();
        }
        byPeer.Add(member.Peer, bySeen.AddLast(member));
    }

    /// <summary>Finds one.</summary>
    public bool TryGet(PeerId peer, [NotNullWhen(true)] out Member? member)
    {
        member = byPeer.TryGetValue(peer, out LinkedListNode<Member>? node) ? node.Value : null;
        return member is not null;
    }

    /// <summary>Forgets those that are members no more.</summary>
    public void Forget(Predicate<Member> isOver)
    {
        for (LinkedListNode<Member>? node = bySeen.First, next; node is not null; node = next)
        {
            next = node.Next;
            if (!isOver(node.Value))
                continue;
            byPeer.Remove(node.Value.Peer);
            bySeen.Remove(node);
        }
    }
}
