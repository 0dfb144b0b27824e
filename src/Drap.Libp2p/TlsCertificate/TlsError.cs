namespace Drap.Libp2p.TlsCertificate;

/// <summary>Why a certificate was refused.</summary>
public enum TlsError
{
    /// <summary>It was not.</summary>
    None,

    /// <summary>It is longer than <see cref="PeerCertificate.BytesMax"/>.</summary>
    TooLong,

    /// <summary>It is no X.509 certificate of version 3 in DER.</summary>
    Malformed,

    /// <summary>Its validity begins later.</summary>
    NotYetValid,

    /// <summary>Its validity is over.</summary>
    Expired,

    /// <summary>It has a critical extension that nobody here understands.</summary>
    UnknownCriticalExtension,

    /// <summary>It lacks libp2p's extension, or has it twice.</summary>
    NoIdentity,

    /// <summary>Its own key or signature is of a kind that is not taken.</summary>
    UnsupportedAlgorithm,

    /// <summary>It is not signed by its own key.</summary>
    BadSelfSignature,

    /// <summary>The identity key in it is of a kind that is not taken.</summary>
    BadIdentityKey,

    /// <summary>The identity key did not sign the certificate's key.</summary>
    BadIdentitySignature,

    /// <summary>It is somebody else's than the peer's that was dialled.</summary>
    WrongPeer,
}
