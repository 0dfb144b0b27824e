using System.Collections.Immutable;
using System.Globalization;
using Drap.Core.Membership;
using Drap.Node.Home;
using Drap.Node.Identity;
using Drap.Node.Storage;

namespace Drap.Node.Membership;

/// <summary>
/// What a node keeps of its swarm: its certificates, who was removed, and at the one that founded the swarm its key. Each file is replaced whole. Only its owner
/// reads the folder: the certificates are no secret, the founder's key and what is known of guests are.
/// </summary>
public sealed class MembershipFolder
{
    private readonly string card, revocations, invitations, port, ticket, delegation;

    /// <summary>Names the folder; makes nothing.</summary>
    public MembershipFolder(string path)
    {
        Path = path;
        card = System.IO.Path.Combine(path, "card");
        revocations = System.IO.Path.Combine(path, "revocations");
        invitations = System.IO.Path.Combine(path, "invitations");
        port = System.IO.Path.Combine(path, "port");
        ticket = System.IO.Path.Combine(path, "ticket");
        delegation = System.IO.Path.Combine(path, "delegation");
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The key that is the swarm; only where it was founded.</summary>
    public string FounderKeyFile => System.IO.Path.Combine(Path, "founder.key");

    /// <summary>Whether the node has belonged to a swarm, and did not leave it.</summary>
    public bool Exists => File.Exists(card);

    /// <summary>Whether the swarm was founded here.</summary>
    public bool IsFounders => File.Exists(FounderKeyFile);

    /// <summary>Of a home.</summary>
    public static MembershipFolder Of(HomeFolder home) => new(System.IO.Path.Combine(home.Path, "swarm"));

    /// <summary>What the node shows, and by whom it finds the swarm.</summary>
    /// <exception cref="HomeException">It cannot be read.</exception>
    public JoinReply ReadCard() => Read<JoinReply>(card) ?? throw NotReadable(card, "it is not there");

    /// <summary>Keeps it.</summary>
    public void WriteCard(JoinReply reply) => Write(card, MembershipCodec.Encode(reply));

    /// <summary>Who was removed, as far as the signatures are right; none where nothing was kept.</summary>
    public ImmutableArray<SignedRevocation> ReadRevocations()
    {
        var all = ImmutableArray.CreateBuilder<SignedRevocation>();
        ReadOnlySpan<byte> rest = File.Exists(revocations) ? File.ReadAllBytes(revocations) : [];
        while (rest.Length >= 2 && (rest[0] << 8 | rest[1]) is var length && length <= rest.Length - 2)
        {
            if (SignedPapers.TryOpen(rest.Slice(2, length), out SignedRevocation? one))
                all.Add(one);
            rest = rest[(2 + length)..];
        }
        return all.DrainToImmutable();
    }

    /// <summary>Keeps them: each envelope after its length in two bytes.</summary>
    public void WriteRevocations(ImmutableArray<SignedRevocation> all)
    {
        using var bytes = new MemoryStream();
        foreach (SignedRevocation one in all)
        {
            ReadOnlySpan<byte> envelope = one.Envelope.Bytes.AsSpan();
            bytes.WriteByte((byte)(envelope.Length >> 8));
            bytes.WriteByte((byte)envelope.Length);
            bytes.Write(envelope);
        }
        Write(revocations, bytes.ToArray());
    }

    /// <summary>Tickets that were handed out.</summary>
    /// <exception cref="HomeException">They cannot be read: a used ticket could then be used again.</exception>
    public InvitationList ReadInvitations() => Read<InvitationList>(invitations) ?? new InvitationList([]);

    /// <summary>Keeps them; they are on disk when it returns.</summary>
    public void WriteInvitations(InvitationList list) => Write(invitations, MembershipCodec.Encode(list));

    /// <summary>For which scheduler the node may speak; null for none, or for one that cannot be read: it is asked for again.</summary>
    public DelegationShown? ReadDelegation() =>
        File.Exists(delegation) && MembershipCodec.TryDecode(File.ReadAllBytes(delegation), out DelegationShown? shown, out _) ? shown : null;

    /// <summary>Keeps it.</summary>
    public void WriteDelegation(DelegationShown shown) => Write(delegation, MembershipCodec.Encode(shown));

    /// <summary>The port on which the node listened last: others know it by that. Null if none is known.</summary>
    public int? ReadPort() =>
        File.Exists(port) && int.TryParse(File.ReadAllText(port), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is > 0 and < 65536 ? number : null;

    /// <summary>Remembers it.</summary>
    public void WritePort(int number) => Write(port, System.Text.Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));

    /// <summary>Whether the node came in by this ticket.</summary>
    public bool CameWith(Ticket shown) => File.Exists(ticket) && File.ReadAllBytes(ticket).AsSpan().SequenceEqual(InvitationBook.HashOf(shown.Secret.AsSpan()).AsSpan());

    /// <summary>Remembers by which ticket the node came in: the hash of its secret.</summary>
    public void WriteTicket(Ticket shown) => Write(ticket, [.. InvitationBook.HashOf(shown.Secret.AsSpan())]);

    /// <summary>Makes the founder's key where there is none yet; the name of the swarm.</summary>
    public NodeIdentity Found()
    {
        Create();
        return NodeIdentity.Open(FounderKeyFile);
    }

    /// <summary>The node belongs to no swarm any more; where it was the founder's, nobody can be let in or removed by its key again.</summary>
    public void Forget()
    {
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }

    private static T? Read<T>(string file) where T : MembershipRecord
    {
        if (!File.Exists(file))
            return null;
        return MembershipCodec.TryDecode(File.ReadAllBytes(file), out T? record, out Core.Cbor.CodecError error) ? record : throw NotReadable(file, error.ToString());
    }

    private static HomeException NotReadable(string file, string why) =>
        new(HomeProblem.NotUsable, $"{file} cannot be read: {why}", "restore it from a copy, or leave the swarm (drap leave) and join it again with a new ticket");

    private void Write(string file, byte[] bytes)
    {
        Create();
        DurableFile.Write(file, bytes);
    }

    private void Create() => Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
