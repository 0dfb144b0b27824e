using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Drap.Core.Membership;
using Drap.Libp2p.Envelope;
using Drap.Libp2p.Keys;

namespace Drap.Node.Membership;

/// <summary>Certificates and revocations in libp2p's signed envelopes, each with a domain of its own, so that neither passes for the other. [MEM-2]</summary>
public static class SignedPapers
{
    private const string CertificateDomain = "drap-certificate", RevocationDomain = "drap-revocation", DrainDomain = "drap-drain", DelegationDomain = "drap-delegation";

    private static ReadOnlySpan<byte> CertificateType => "/drap/certificate"u8;

    private static ReadOnlySpan<byte> DelegationType => "/drap/delegation"u8;

    private static ReadOnlySpan<byte> DrainType => "/drap/drain"u8;

    private static ReadOnlySpan<byte> RevocationType => "/drap/revocation"u8;

    /// <summary>Signs a certificate.</summary>
    public static Wrapped Seal(Certificate certificate, PrivateKey issuer) => Seal(certificate, issuer, CertificateDomain, CertificateType);

    /// <summary>Signs a revocation.</summary>
    public static SignedRevocation Seal(Revocation revocation, PrivateKey signer) =>
        new(revocation, signer.PeerId, Seal(revocation, signer, RevocationDomain, RevocationType));

    /// <summary>Signs an order to drain.</summary>
    public static Wrapped Seal(DrainOrder order, PrivateKey signer) => Seal(order, signer, DrainDomain, DrainType);

    /// <summary>Signs a delegation.</summary>
    public static Wrapped Seal(Delegation delegation, PrivateKey scheduler) => Seal(delegation, scheduler, DelegationDomain, DelegationType);

    /// <summary>Reads a delegation that anybody may have sent, with the certificates of its scheduler, and checks the signatures.</summary>
    public static bool TryOpen(DelegationShown shown, [NotNullWhen(true)] out SignedDelegation? delegation, out ImmutableArray<SignedCertificate> scheduler)
    {
        scheduler = [];
        delegation = TryOpen(shown.Envelope.Bytes.AsSpan(), DelegationDomain, DelegationType, out Delegation? body, out SignedEnvelope? opened)
            ? new SignedDelegation(body, opened.Signer.PeerId) : null;
        return delegation is not null && TryOpen(shown.Chain, out scheduler);
    }

    /// <summary>Reads an order to drain that anybody may have sent, and checks its signature.</summary>
    public static bool TryOpen(ReadOnlySpan<byte> envelope, [NotNullWhen(true)] out DrainOrder? order, out PeerId signer)
    {
        bool isOne = TryOpen(envelope, DrainDomain, DrainType, out order, out SignedEnvelope? opened);
        signer = isOne ? opened!.Signer.PeerId : default;
        return isOne;
    }

    /// <summary>Reads a certificate that anybody may have sent, and checks its signature.</summary>
    public static bool TryOpen(Wrapped envelope, [NotNullWhen(true)] out SignedCertificate? certificate)
    {
        certificate = TryOpen(envelope.Bytes.AsSpan(), CertificateDomain, CertificateType, out Certificate? body, out SignedEnvelope? opened)
            ? new SignedCertificate(body, opened.Signer.PeerId) : null;
        return certificate is not null;
    }

    /// <summary>Reads a revocation that anybody may have sent, and checks its signature.</summary>
    public static bool TryOpen(ReadOnlySpan<byte> envelope, [NotNullWhen(true)] out SignedRevocation? revocation)
    {
        revocation = TryOpen(envelope, RevocationDomain, RevocationType, out Revocation? body, out SignedEnvelope? opened)
            ? new SignedRevocation(body, opened.Signer.PeerId, new Wrapped(ImmutableCollectionsMarshal.AsImmutableArray(envelope.ToArray()))) : null;
        return revocation is not null;
    }

    /// <summary>Reads a chain; false if one of its certificates is none, or its signature not right.</summary>
    public static bool TryOpen(ImmutableArray<Wrapped> envelopes, out ImmutableArray<SignedCertificate> chain)
    {
        chain = [];
        if (envelopes.Length > CertificateChain.LengthMax)
            return false;
        var opened = ImmutableArray.CreateBuilder<SignedCertificate>(envelopes.Length);
        foreach (Wrapped envelope in envelopes)
        {
            if (!TryOpen(envelope, out SignedCertificate? one))
                return false;
            opened.Add(one);
        }
        chain = opened.MoveToImmutable();
        return true;
    }

    private static Wrapped Seal(MembershipRecord record, PrivateKey key, string domain, ReadOnlySpan<byte> type)
    {
        ReadOnlyMemory<byte> encoded = SignedEnvelope.Seal(key, domain, type, MembershipCodec.Encode(record)).Encoded;
        Invariant.Check(encoded.Length <= MembershipRecord.EnvelopeBytesMax);
        return new Wrapped([.. encoded.Span]);
    }

    private static bool TryOpen<T>(
        ReadOnlySpan<byte> envelope, string domain, ReadOnlySpan<byte> type, [NotNullWhen(true)] out T? record, [NotNullWhen(true)] out SignedEnvelope? opened)
        where T : MembershipRecord
    {
        record = null;
        opened = null;
        return envelope.Length <= MembershipRecord.EnvelopeBytesMax && SignedEnvelope.TryOpen(envelope, domain, type, out opened)
            && MembershipCodec.TryDecode(opened.Payload.Span, out record, out _);
    }
}
