namespace Drap.Libp2p.Gossipsub;

/// <summary>One router's record of a message: from whom it came, and how far it has come. The host hands it back with its verdicts.</summary>
public sealed class GossipMessage
{
    private List<GossipPeer>? holders;
    private List<(GossipPeer Peer, int Times)>? asked;

    internal GossipMessage(SignedMessage content, TopicState topic, MessageKey key, GossipPeer? source, Instant now)
    {
        Content = content;
        TopicState = topic;
        Key = key;
        Source = source;
        Stage = source is null ? MessageStage.Accepted : MessageStage.Verifying;
        StageAt = now;
    }

    /// <summary>The message.</summary>
    public SignedMessage Content { get; }

    /// <summary>Its topic.</summary>
    public string Topic => TopicState.Name;

    /// <summary>Which neighbour brought it first; null for one of our own.</summary>
    public PeerId? ReceivedFrom => Source?.Id;

    /// <summary>How far it has come.</summary>
    public MessageStage Stage { get; internal set; }

    internal TopicState TopicState { get; }

    internal MessageKey Key { get; }

    internal GossipPeer? Source { get; }

    /// <summary>When the stage was reached.</summary>
    internal Instant StageAt { get; set; }

    /// <summary>What the check of the signature said; heard out of order, acted on in order.</summary>
    internal bool? Verified { get; set; }

    /// <summary>Another message under the same id that waits for its check, too.</summary>
    internal GossipMessage? Rival { get; set; }

    /// <summary>Who else brought it, in no order; nobody of them need get it.</summary>
    internal IReadOnlyList<GossipPeer> Holders => holders is null ? [] : holders;

    internal bool IsHeldBy(GossipPeer peer) => ReferenceEquals(peer, Source) || (holders is not null && holders.Contains(peer));

    /// <summary>Accepted, and still to be passed on (<see cref="GossipOptions.PassOnDelay"/>).</summary>
    internal bool IsToPassOn { get; set; }

    internal void AddHolder(GossipPeer peer)
    {
        if (!IsHeldBy(peer))
            (holders ??= []).Add(peer);
    }

    internal void ForgetHolders() => holders = null;

    /// <summary>Counts a peer's question for it, and says how many that makes.</summary>
    internal int CountQuestion(GossipPeer peer)
    {
        asked ??= [];
        int at = asked.FindIndex(a => ReferenceEquals(a.Peer, peer));
        if (at < 0)
        {
            at = asked.Count;
            asked.Add((peer, 0));
        }
        asked[at] = (peer, asked[at].Times + 1);
        return asked[at].Times;
    }
}

/// <summary>How far a message has come.</summary>
public enum MessageStage : byte
{
    /// <summary>Its signature is being checked, or waits for those before it.</summary>
    Verifying,

    /// <summary>The application decides about it.</summary>
    Validating,

    /// <summary>It was passed on, and can be asked for while the history lasts.</summary>
    Accepted,

    /// <summary>It goes no further.</summary>
    Dropped,
}

/// <summary>What an application says of a message (v1.1, "Extended Validators").</summary>
public enum MessageVerdict
{
    /// <summary>It is delivered and passed on.</summary>
    Accept,

    /// <summary>It is invalid: it goes no further, and who brought it is judged for it (P4).</summary>
    Reject,

    /// <summary>It goes no further, and nobody is judged.</summary>
    Ignore,
}

/// <summary>Why a message was turned away.</summary>
public enum RejectReason
{
    /// <summary>The number is absent or not of eight bytes.</summary>
    BadSequence,

    /// <summary>The sender is absent or no peer id.</summary>
    BadSender,

    /// <summary>The signature is absent or too long.</summary>
    NoSignature,

    /// <summary>The key is absent though the sender's name does not hold it, or is another than the one it holds.</summary>
    BadKey,

    /// <summary>The signature is not the sender's over this message.</summary>
    BadSignature,

    /// <summary>The application said so.</summary>
    Invalid,
}

/// <summary>One of our own messages that waits for its signature.</summary>
public sealed class UnsignedMessage
{
    private readonly PeerId self;
    private readonly ReadOnlyMemory<byte> key;
    private readonly MessageDraft draft;

    /// <param name="topic">Its topic.</param>
    /// <param name="self">Who writes it.</param>
    /// <param name="key">His public key if the message must carry it, else empty.</param>
    /// <param name="draft">The message.</param>
    internal UnsignedMessage(TopicState topic, PeerId self, ReadOnlyMemory<byte> key, MessageDraft draft)
    {
        TopicState = topic;
        this.self = self;
        this.key = key;
        this.draft = draft;
    }

    /// <summary>What is to be signed, prefix and all; until <see cref="Sign"/> is called.</summary>
    public ReadOnlyMemory<byte> SignedBytes => draft.Bytes.AsMemory(0, draft.SignedLength);

    /// <summary>Its number.</summary>
    public ulong Sequence => draft.Sequence;

    /// <summary>Whether <see cref="Sign"/> was called.</summary>
    public bool IsSigned => Signed is not null;

    internal TopicState TopicState { get; }

    internal int DataLength => draft.DataLength;

    /// <summary>The message as it goes out, once it is signed and those before it have gone.</summary>
    internal SignedMessage? Signed { get; private set; }

    /// <summary>The router knows that it is signed, or that it never will be.</summary>
    internal bool IsAnswered { get; set; }

    /// <summary>Puts the signature on it: on the thread that has made it, before the router is told. A second one is not looked at.</summary>
    public void Sign(ReadOnlySpan<byte> signature)
    {
        if (Signed is not null || IsAnswered)
            return;
        Invariant.Check(signature.Length is > 0 and <= SignedMessage.SignatureBytesMax);
        Signed = new SignedMessage(self, draft, signature, key.Span);
    }
}
