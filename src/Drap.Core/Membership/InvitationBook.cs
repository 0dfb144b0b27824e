using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Drap.Core.Membership;

/// <summary>A ticket that was handed out, as who made it remembers it: what it is worth, never its secret.</summary>
/// <param name="SecretHash">SHA-256 of the secret: who reads the file cannot join by it.</param>
/// <param name="Roles">What the newcomer gets.</param>
/// <param name="Principal">Who is behind the newcomer.</param>
/// <param name="Expires">Until when it is good.</param>
/// <param name="Lifetime">How long the certificate will last.</param>
/// <param name="Guest">Who came with it; null until somebody did.</param>
public sealed record Invitation(
    ImmutableArray<byte> SecretHash, NodeRoles Roles, Principal Principal, UtcTime Expires, TimeSpan Lifetime, Guest? Guest)
{
    /// <summary>Bytes of <see cref="SecretHash"/>.</summary>
    public const int HashBytes = SHA256.HashSizeInBytes;
}

/// <summary>Who came with an invitation.</summary>
/// <param name="Peer">The node.</param>
/// <param name="Name">Its name.</param>
/// <param name="At">When it came first.</param>
public sealed record Guest(PeerId Peer, string Name, UtcTime At);

/// <summary>All invitations, as they are stored.</summary>
/// <param name="All">In the order in which they were made.</param>
public sealed record InvitationList(ImmutableArray<Invitation> All) : MembershipRecord;

/// <summary>What happens to invitations.</summary>
public abstract record InvitationInput
{
    private InvitationInput()
    {
    }

    /// <summary>The owner hands out a ticket.</summary>
    public sealed record Made(Invitation Invitation) : InvitationInput;

    /// <summary>Somebody asks to be let in.</summary>
    /// <param name="Peer">Who, as the connection proved.</param>
    /// <param name="From">The address it comes from: those of one are counted together.</param>
    /// <param name="Request">What it said.</param>
    /// <param name="IsRemoved">Whether it was a member that was removed.</param>
    public sealed record Asked(PeerId Peer, string From, JoinRequest Request, bool IsRemoved) : InvitationInput;
}

/// <summary>What is to be done, in this order: nobody is let in before it is on disk that the ticket is used.</summary>
public abstract record InvitationEffect
{
    private InvitationEffect()
    {
    }

    /// <summary>Keep the list; what follows waits until it is on disk.</summary>
    public sealed record Store(InvitationList List) : InvitationEffect;

    /// <summary>The invitation stands: its ticket may be given away.</summary>
    public sealed record Stands : InvitationEffect;

    /// <summary>There is no room for it.</summary>
    public sealed record Full : InvitationEffect;

    /// <summary>Certify the newcomer and let it know.</summary>
    public sealed record Admit(PeerId Peer, Guest Guest, Invitation Invitation) : InvitationEffect;

    /// <summary>Tell it why not.</summary>
    public sealed record Refuse(PeerId Peer, JoinRefusal Why) : InvitationEffect;
}

/// <summary>
/// The tickets that a node has handed out, each good once. A newcomer whose answer was lost may ask again: the ticket is then used by the same node. Pure;
/// one caller at a time. [MEM-5]
/// </summary>
public sealed class InvitationBook
{
    /// <summary>
    /// Invitations that are remembered: 400 KiB with the longest names. At the limit those whose time is over go first, then none: the owner is told that there is no
    /// room until some expire.
    /// </summary>
    public const int InvitationsMax = 1024;

    /// <summary>How long one whose time is over is remembered, so that a late newcomer hears that, and not that its ticket is unknown.</summary>
    public static readonly TimeSpan Afterwards = TimeSpan.FromDays(1);

    private readonly Dictionary<string, Invitation> byHash = new(StringComparer.Ordinal);
    private readonly List<string> order = [];
    private readonly JoinRate rate = new();

    /// <summary>Takes in what was stored.</summary>
    public InvitationBook(InvitationList stored)
    {
        foreach (Invitation one in stored.All)
            Put(one);
    }

    /// <summary>All that are remembered, in the order in which they were made.</summary>
    public InvitationList List => new([.. order.Select(key => byHash[key])]);

    /// <summary>The hash under which a secret is remembered.</summary>
    public static ImmutableArray<byte> HashOf(ReadOnlySpan<byte> secret) => [.. SHA256.HashData(secret)];

    /// <summary>Takes an input in. Effects are performed in their order.</summary>
    /// <param name="input">What happened.</param>
    /// <param name="now">Now, for the rate of questions.</param>
    /// <param name="utc">The time of day, for expiry.</param>
    /// <param name="effects">What is to be done.</param>
    public void Step(InvitationInput input, Instant now, UtcTime utc, IList<InvitationEffect> effects)
    {
        switch (input)
        {
            case InvitationInput.Made made:
                Make(made.Invitation, utc, effects);
                break;
            case InvitationInput.Asked asked:
                Ask(asked, now, utc, effects);
                break;
        }
    }

    private void Make(Invitation invitation, UtcTime utc, IList<InvitationEffect> effects)
    {
        Invariant.Check(invitation.SecretHash.Length == Invitation.HashBytes && invitation.Guest is null);
        Forget(utc, Afterwards);
        if (order.Count >= InvitationsMax)
            Forget(utc, TimeSpan.Zero);
        if (order.Count >= InvitationsMax)
        {
            effects.Add(new InvitationEffect.Full());
            return;
        }
        Put(invitation);
        effects.Add(new InvitationEffect.Store(List));
        effects.Add(new InvitationEffect.Stands());
    }

    private void Ask(InvitationInput.Asked asked, Instant now, UtcTime utc, IList<InvitationEffect> effects)
    {
        JoinRefusal refusal = Judge(asked, now, utc, out Invitation? invitation);
        if (refusal != JoinRefusal.None)
        {
            effects.Add(new InvitationEffect.Refuse(asked.Peer, refusal));
            return;
        }
        Guest guest = invitation!.Guest ?? new Guest(asked.Peer, asked.Request.Name, utc);
        if (invitation.Guest is null)
        {
            invitation = invitation with { Guest = guest };
            byHash[Key(invitation.SecretHash.AsSpan())] = invitation;
            effects.Add(new InvitationEffect.Store(List));
        }
        effects.Add(new InvitationEffect.Admit(asked.Peer, guest, invitation));
    }

    private JoinRefusal Judge(InvitationInput.Asked asked, Instant now, UtcTime utc, out Invitation? invitation)
    {
        invitation = null;
        // Counted before anything is looked at: who guesses is slowed down, too.
        if (!rate.TryTake(asked.From, now))
            return JoinRefusal.Busy;
        if (asked.Request.Secret.Length != Ticket.SecretBytes || !byHash.TryGetValue(Key(SHA256.HashData(asked.Request.Secret.AsSpan())), out invitation))
            return JoinRefusal.Unknown;
        if (invitation.Guest is { } guest && guest.Peer != asked.Peer)
            return JoinRefusal.Used;
        if (utc.CompareTo(invitation.Expires) >= 0)
            return JoinRefusal.Expired;
        return asked.IsRemoved ? JoinRefusal.Removed : JoinRefusal.None;
    }

    private void Put(Invitation invitation)
    {
        string key = Key(invitation.SecretHash.AsSpan());
        if (!byHash.ContainsKey(key))
            order.Add(key);
        byHash[key] = invitation;
    }

    private void Forget(UtcTime utc, TimeSpan after)
    {
        foreach (string key in order.Where(key => utc.CompareTo(byHash[key].Expires + after) >= 0).ToArray())
        {
            byHash.Remove(key);
            order.Remove(key);
        }
    }

    private static string Key(ReadOnlySpan<byte> hash) => Convert.ToHexString(hash);
}
