using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Identify;

/// <summary>
/// What a peer says of itself (libp2p/specs, identify). A field that is null or empty is one that the peer left out; in a push it then
/// keeps the value it had. What stands here is the peer's word: the key must be compared with the connection's peer id, and the signed
/// record opened, by whoever takes them.
/// </summary>
public sealed record IdentifyMessage
{
    /// <summary>The protocol over which a peer is asked.</summary>
    public const string Protocol = "/ipfs/id/1.0.0";

    /// <summary>The protocol over which a peer tells of a change.</summary>
    public const string PushProtocol = "/ipfs/id/push/1.0.0";

    /// <summary>The longest message on the wire, without its length: what go and js take. A longer one ends the stream.</summary>
    public const int MessageBytesMax = 8 * 1024;

    /// <summary>The messages that one answer may be cut into, as in go and js; what comes after them is not read.</summary>
    public const int MessagesMax = 10;

    /// <summary>
    /// Addresses kept of one peer: each is a dial that may be tried. Those after them are left out, as are those of protocols that are not
    /// known here and those that are none.
    /// </summary>
    public const int AddressesMax = 64;

    /// <summary>Protocols kept of one peer; a large node has about fifty. Those after them are left out.</summary>
    public const int ProtocolsMax = 512;

    /// <summary>Bytes of one protocol's name or of a version; a longer one is left out: multistream-select could not ask for it.</summary>
    public const int NameBytesMax = 256;

    /// <summary>The family of protocols, such as <c>drap/1.0.0</c>: for statistics, decides nothing.</summary>
    public string? ProtocolVersion { get; init; }

    /// <summary>The program and its version, such as <c>drap/0.1.0</c>.</summary>
    public string? AgentVersion { get; init; }

    /// <summary>The public key in its protobuf form.</summary>
    public byte[]? PublicKey { get; init; }

    /// <summary>Where the peer listens.</summary>
    public ImmutableArray<Multiaddr> ListenAddresses { get; init; } = [];

    /// <summary>From which address the peer sees us.</summary>
    public Multiaddr? ObservedAddress { get; init; }

    /// <summary>The protocols for which the peer takes streams.</summary>
    public ImmutableArray<string> Protocols { get; init; } = [];

    /// <summary>The signed envelope of the peer's addresses.</summary>
    public byte[]? SignedPeerRecord { get; init; }

    /// <summary>Reads one message; false if it is not one. What is too long or too much in it is left out, as the constants say.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out IdentifyMessage? message)
    {
        message = null;
        if (bytes.Length > MessageBytesMax)
            return false;
        string? protocolVersion = null, agentVersion = null;
        byte[]? publicKey = null, record = null;
        Multiaddr? observed = null;
        var addresses = ImmutableArray.CreateBuilder<Multiaddr>();
        var protocols = ImmutableArray.CreateBuilder<string>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    publicKey = reader.Bytes().ToArray();
                    break;
                case 2:
                    if (addresses.Count < AddressesMax && Multiaddr.TryFromBytes(reader.Bytes(), out Multiaddr? address))
                        addresses.Add(address);
                    break;
                case 3:
                    if (Name(ref reader) is { } protocol && protocols.Count < ProtocolsMax)
                        protocols.Add(protocol);
                    break;
                case 4:
                    observed = Multiaddr.TryFromBytes(reader.Bytes(), out Multiaddr? seen) ? seen : observed;
                    break;
                case 5:
                    protocolVersion = Name(ref reader) ?? protocolVersion;
                    break;
                case 6:
                    agentVersion = Name(ref reader) ?? agentVersion;
                    break;
                case 8:
                    record = reader.Bytes().ToArray();
                    break;
            }
        }
        if (reader.Malformed)
            return false;
        message = new IdentifyMessage
        {
            ProtocolVersion = protocolVersion,
            AgentVersion = agentVersion,
            PublicKey = publicKey,
            ListenAddresses = addresses.DrainToImmutable(),
            ObservedAddress = observed,
            Protocols = protocols.DrainToImmutable(),
            SignedPeerRecord = record,
        };
        return true;
    }

    /// <summary>
    /// What is written on the stream: as a rule one message with its length; more, none longer than <see cref="MessageBytesMax"/>, where
    /// one does not hold it. Older peers read the first alone, so the key, the versions and the addresses come first.
    /// </summary>
    /// <remarks>The fields must be within the limits of this type; if they are not, that is a bug of ours.</remarks>
    public byte[] Encode()
    {
        var output = new List<byte>();
        var message = new ProtoWriter();
        var field = new ProtoWriter();
        int messages = 1;
        void Put(int number, ReadOnlySpan<byte> value)
        {
            field.Clear();
            field.Bytes(number, value);
            Invariant.Check(field.Length <= MessageBytesMax);
            if (message.Length + field.Length > MessageBytesMax)
            {
                output.AddRange(Delimited.Frame(message.Written));
                message.Clear();
                messages++;
            }
            message.Bytes(number, value);
        }
        void PutName(int number, string? name)
        {
            if (name is null)
                return;
            byte[] bytes = System.Text.Encoding.UTF8.GetBytes(name);
            Invariant.Check(bytes.Length is > 0 and <= NameBytesMax);
            Put(number, bytes);
        }
        Invariant.Check(ListenAddresses.Length <= AddressesMax && Protocols.Length <= ProtocolsMax);
        if (PublicKey is not null)
            Put(1, PublicKey);
        foreach (Multiaddr address in ListenAddresses)
            Put(2, address.Bytes);
        if (ObservedAddress is not null)
            Put(4, ObservedAddress.Bytes);
        PutName(5, ProtocolVersion);
        PutName(6, AgentVersion);
        foreach (string protocol in Protocols)
            PutName(3, protocol);
        if (SignedPeerRecord is not null)
            Put(8, SignedPeerRecord);
        output.AddRange(Delimited.Frame(message.Written));
        Invariant.Check(messages <= MessagesMax);
        return [.. output];
    }

    /// <summary>What this says, and where <paramref name="later"/> says something, that: the parts of one answer come together.</summary>
    public IdentifyMessage With(IdentifyMessage later) => this with
    {
        ProtocolVersion = later.ProtocolVersion ?? ProtocolVersion,
        AgentVersion = later.AgentVersion ?? AgentVersion,
        PublicKey = later.PublicKey ?? PublicKey,
        ListenAddresses = [.. ListenAddresses.Concat(later.ListenAddresses).Take(AddressesMax)],
        ObservedAddress = later.ObservedAddress ?? ObservedAddress,
        Protocols = [.. Protocols.Concat(later.Protocols).Distinct().Take(ProtocolsMax)],
        SignedPeerRecord = later.SignedPeerRecord ?? SignedPeerRecord,
    };

    // An empty name says nothing, one that is too long cannot be used.
    private static string? Name(ref ProtoReader reader) =>
        reader.Bytes().Length is > 0 and <= NameBytesMax ? reader.Text() : null;
}
