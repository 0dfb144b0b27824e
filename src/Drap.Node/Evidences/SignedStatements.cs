using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Membership;
using Drap.Libp2p.Envelope;
using Drap.Libp2p.Keys;

namespace Drap.Node.Evidences;

/// <summary>Statements in libp2p's signed envelopes, with a domain of their own. [MEM-14]</summary>
internal static class SignedStatements
{
    private const string Domain = "drap-statement";

    private static ReadOnlySpan<byte> PayloadType => "/drap/statement"u8;

    public static ImmutableArray<byte> Seal(Statement statement, PrivateKey key) =>
        [.. SignedEnvelope.Seal(key, Domain, PayloadType, MembershipCodec.Encode(statement)).Encoded.Span];

    public static bool TryOpen(ReadOnlySpan<byte> envelope, [NotNullWhen(true)] out Statement? statement, out PeerId signer)
    {
        statement = null;
        signer = default;
        if (envelope.Length > Statement.SealBytesMax || !SignedEnvelope.TryOpen(envelope, Domain, PayloadType, out SignedEnvelope? opened)
            || !MembershipCodec.TryDecode(opened.Payload.Span, out statement, out _))
            return false;
        signer = opened.Signer.PeerId;
        return true;
    }
}
