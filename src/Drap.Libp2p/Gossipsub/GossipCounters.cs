namespace Drap.Libp2p.Gossipsub;

/// <summary>What a router has done since it was made; read by metrics and by tests.</summary>
public sealed class GossipCounters
{
    /// <summary>RPCs taken.</summary>
    public long Rpcs { get; internal set; }

    /// <summary>RPCs not looked at: malformed, beyond limits, or of a peer whose score is too low.</summary>
    public long RpcsRefused { get; internal set; }

    /// <summary>Messages that came, copies and all.</summary>
    public long Received { get; internal set; }

    /// <summary>Of these, copies of what was here already.</summary>
    public long Duplicates { get; internal set; }

    /// <summary>Of these, such as were of topics that we do not hear, or our own.</summary>
    public long Unheard { get; internal set; }

    /// <summary>Of these, such as were turned away: faulty, forged, or invalid for the application.</summary>
    public long Rejected { get; internal set; }

    /// <summary>Of these, such as the application ignored, or did not decide about in time.</summary>
    public long Ignored { get; internal set; }

    /// <summary>Of these, such as found no room.</summary>
    public long Overflowed { get; internal set; }

    /// <summary>Signatures to check.</summary>
    public long Checks { get; internal set; }

    /// <summary>Messages delivered here.</summary>
    public long Delivered { get; internal set; }

    /// <summary>Messages that we published.</summary>
    public long Published { get; internal set; }

    /// <summary>Copies of messages sent: passed on, published or asked for.</summary>
    public long Sent { get; internal set; }

    /// <summary>Of these, such as were asked for.</summary>
    public long SentOnRequest { get; internal set; }

    /// <summary>Copies not sent because a peer said that it has the message.</summary>
    public long Spared { get; internal set; }

    /// <summary>GRAFTs sent.</summary>
    public long Grafts { get; internal set; }

    /// <summary>PRUNEs sent.</summary>
    public long Prunes { get; internal set; }

    /// <summary>IHAVEs sent.</summary>
    public long IHaves { get; internal set; }

    /// <summary>Ids asked for.</summary>
    public long IWants { get; internal set; }

    /// <summary>IDONTWANTs sent.</summary>
    public long IDontWants { get; internal set; }

    /// <summary>Promises that peers broke.</summary>
    public long BrokenPromises { get; internal set; }
}
