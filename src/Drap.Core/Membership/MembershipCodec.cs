using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Cbor;

namespace Drap.Core.Membership;

/// <summary>
/// Membership records as bytes: [version, kind, body], as messages of the market are (docs/protocol/messages.md, MSG-1), but with kinds of their own. [MEM-1]
/// </summary>
public static class MembershipCodec
{
    /// <summary>The major version.</summary>
    public const int Version = 1;

    /// <summary>The longest record that travels: a reply with a whole chain and all addresses.</summary>
    public const int FrameBytesMax = 64 * 1024;

    /// <summary>The longest record that is stored: <see cref="InvitationBook.InvitationsMax"/> invitations with the longest names have half of that.</summary>
    public const int StoredBytesMax = 1 << 20;

    /// <summary>The bytes of a record whose values are known to be within their limits; if they are not, that is a bug of ours.</summary>
    public static byte[] Encode(MembershipRecord record)
    {
        var writer = new FieldWriter(StoredBytesMax);
        try
        {
            MembershipKind kind = KindOf(record);
            (int, int) body = RecordFrame.Open(ref writer, Version, (int)kind);
            Walk(kind, ref writer, record);
            writer.CloseMap(body);
            if (!writer.TryFinish(out ReadOnlySpan<byte> frame, out CodecError error))
                Invariant.Fail($"{kind} cannot be written: {error}");
            return frame.ToArray();
        }
        finally
        {
            writer.Dispose();
        }
    }

    /// <summary>Reads a record of this kind, which anybody may have sent. Never throws.</summary>
    public static bool TryDecode<T>(ReadOnlySpan<byte> frame, [NotNullWhen(true)] out T? record, out CodecError error)
        where T : MembershipRecord
    {
        bool read = TryDecode(frame, out MembershipRecord? any, out error);
        record = any as T;
        if (read && record is null)
            error = new CodecError(CodecFault.UnknownKind, "kind", 2);
        return record is not null;
    }

    /// <summary>Reads a record of any kind, which anybody may have sent. Never throws.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> frame, [NotNullWhen(true)] out MembershipRecord? record, out CodecError error)
    {
        record = null;
        var reader = new FieldReader(frame);
        if (!RecordFrame.TryOpen(ref reader, frame.Length, StoredBytesMax, Version, (int)MembershipKind.Statement, out int kind, out (int, int) body, out error))
            return false;
        MembershipRecord read = Walk((MembershipKind)kind, ref reader, null);
        record = RecordFrame.TryClose(ref reader, body, out error) ? read : null;
        return record is not null;
    }

    /// <summary>The number under which a record travels.</summary>
    public static MembershipKind KindOf(MembershipRecord record) => record switch
    {
        Certificate => MembershipKind.Certificate,
        Revocation => MembershipKind.Revocation,
        Ticket => MembershipKind.Ticket,
        Hello => MembershipKind.Hello,
        Verdict => MembershipKind.Verdict,
        JoinRequest => MembershipKind.JoinRequest,
        JoinReply => MembershipKind.JoinReply,
        InvitationList => MembershipKind.InvitationList,
        DrainOrder => MembershipKind.DrainOrder,
        DrainReply => MembershipKind.DrainReply,
        Delegation => MembershipKind.Delegation,
        StandbyRequest => MembershipKind.StandbyRequest,
        StandbyReply => MembershipKind.StandbyReply,
        DelegationShown => MembershipKind.DelegationShown,
        Statement => MembershipKind.Statement,
        _ => throw new UnreachableException(),
    };

    /// <summary>Runs <paramref name="f"/> over the fields of one kind of record: to write, read, describe or make up.</summary>
    public static MembershipRecord Walk<TFields>(MembershipKind kind, scoped ref TFields f, MembershipRecord? record)
        where TFields : IFields, allows ref struct => kind switch
    {
        MembershipKind.Certificate => CertificateShape.Walk(ref f, (Certificate?)record ?? CertificateShape.Blank),
        MembershipKind.Revocation => RevocationShape.Walk(ref f, (Revocation?)record ?? RevocationShape.Blank),
        MembershipKind.Ticket => TicketShape.Walk(ref f, (Ticket?)record ?? TicketShape.Blank),
        MembershipKind.Hello => HelloShape.Walk(ref f, (Hello?)record ?? HelloShape.Blank),
        MembershipKind.Verdict => VerdictShape.Walk(ref f, (Verdict?)record ?? VerdictShape.Blank),
        MembershipKind.JoinRequest => JoinRequestShape.Walk(ref f, (JoinRequest?)record ?? JoinRequestShape.Blank),
        MembershipKind.JoinReply => JoinReplyShape.Walk(ref f, (JoinReply?)record ?? JoinReplyShape.Blank),
        MembershipKind.InvitationList => InvitationListShape.Walk(ref f, (InvitationList?)record ?? InvitationListShape.Blank),
        MembershipKind.DrainOrder => DrainOrderShape.Walk(ref f, (DrainOrder?)record ?? DrainOrderShape.Blank),
        MembershipKind.DrainReply => DrainReplyShape.Walk(ref f, (DrainReply?)record ?? DrainReplyShape.Blank),
        MembershipKind.Delegation => DelegationShape.Walk(ref f, (Delegation?)record ?? DelegationShape.Blank),
        MembershipKind.StandbyRequest => StandbyRequestShape.Walk(ref f, (StandbyRequest?)record ?? StandbyRequestShape.Blank),
        MembershipKind.StandbyReply => StandbyReplyShape.Walk(ref f, (StandbyReply?)record ?? StandbyReplyShape.Blank),
        MembershipKind.DelegationShown => DelegationShownShape.Walk(ref f, (DelegationShown?)record ?? DelegationShownShape.Blank),
        MembershipKind.Statement => StatementShape.Walk(ref f, (Statement?)record ?? StatementShape.Blank),
        _ => throw new UnreachableException(),
    };
}
