using System.Collections.Immutable;

namespace Drap.Core.Transfer;

/// <summary>Why a peer may read a blob, or that it may not (design 5, privacy). [BLOB-8]</summary>
public enum ReadRight
{
    /// <summary>It may not: nothing says so.</summary>
    None,

    /// <summary>Nobody owns anything here: the swarm is open.</summary>
    OpenSwarm,

    /// <summary>Its owner lets everybody read it.</summary>
    Public,

    /// <summary>The peer is a node of a principal whose blob it is.</summary>
    Principal,

    /// <summary>A live lease of the peer names it.</summary>
    Lease,

    /// <summary>A folder that the peer was granted on the same stream names it.</summary>
    Parent,
}

/// <summary>What a holder knows of a blob's owners.</summary>
/// <param name="Principals">Whose it is, in order: those who brought it here. Several may have brought the same.</param>
/// <param name="IsPublic">Whether one of them lets everybody read it.</param>
public readonly record struct BlobOwnership(ImmutableArray<Principal> Principals, bool IsPublic)
{
    /// <summary>Nobody's.</summary>
    public static readonly BlobOwnership Nobody = new([], false);
}

/// <summary>
/// What one peer may read over one stream: a blob goes to its principal's nodes, to workers whose live lease names it, or to everybody if it is
/// public; and with a folder goes what it names. Pure. The name that was asked for is judged, whether the holder has it or not, so that a refusal
/// tells nothing.
/// </summary>
/// <remarks>
/// Only a lease opens what a folder names: its principal named that folder, and all of it. A folder that is the peer's own, or public, opens nothing,
/// since what it names has owners of its own: whoever makes up a folder that names another's blob is not brought nearer to it.
/// </remarks>
public sealed class ReadScope
{
    /// <summary>
    /// Names that folders have opened and that were not asked for yet: 5 MiB a stream at 40 bytes. Whoever asks in the order of depth has opened at
    /// most a folder a level, some hundred thousand names at worst; beyond this a folder opens nothing more until some were asked for.
    /// </summary>
    public const int OpenMax = 131_072;

    private readonly Principal? reader;
    private readonly bool isOpenSwarm;
    private readonly HashSet<Cid> open = [];

    private ReadScope(Principal? reader, bool isOpenSwarm) => (this.reader, this.isOpenSwarm) = (reader, isOpenSwarm);

    /// <summary>In a swarm without certificates everybody may read everything.</summary>
    public static ReadScope OfOpenSwarm() => new(null, isOpenSwarm: true);

    /// <summary>For a peer behind which this principal stands; null for one that is no member, and reads only what is public.</summary>
    public static ReadScope Of(Principal? reader) => new(reader, isOpenSwarm: false);

    /// <summary>
    /// Whether the peer may have a blob, as far as ownership and the stream itself say. <see cref="ReadRight.None"/> leaves the question to the
    /// leases (<see cref="ReadRight.Lease"/>), which somebody else keeps.
    /// </summary>
    public ReadRight Judge(Cid wanted, BlobOwnership owners) =>
        isOpenSwarm ? ReadRight.OpenSwarm
        : owners.IsPublic ? ReadRight.Public
        : reader is { } who && owners.Principals.Contains(who) ? ReadRight.Principal
        : open.Contains(wanted) ? ReadRight.Parent
        : ReadRight.None;

    /// <summary>
    /// A node of a folder goes to the peer, or is there already: under a lease what it names may be asked for, too. False where too much is open.
    /// </summary>
    public bool TryOpen(DagNode node, ReadRight right)
    {
        if (right is not (ReadRight.Lease or ReadRight.Parent))
            return true;
        if (open.Count + node.Links.Length > OpenMax)
            return false;
        foreach (DagLink link in node.Links)
            open.Add(link.Target);
        return true;
    }

    /// <summary>A live lease of the peer names this: for as long as the stream lasts it is not asked again. False where too much is open.</summary>
    public bool TryGrant(Cid named) => open.Count < OpenMax && (open.Add(named) || true);

    /// <summary>The peer has what it asked for, and all of it: it counts no more.</summary>
    public void Close(Cid given) => open.Remove(given);
}
