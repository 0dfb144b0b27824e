namespace Drap.Core.Messages;

/// <summary>
/// What nodes say to each other about work; each kind's duplicate, late and lost case stands in docs/protocol/messages.md. Times are
/// durations, never instants: each side measures them on its own boot-time clock from the moment of sending or receipt.
/// </summary>
public abstract record Message
{
    private protected Message()
    {
    }
}

/// <summary>The number under which a message travels; numbers are never reused.</summary>
public enum MessageKind
{
    /// <summary>No message.</summary>
    None = 0,

    /// <summary><see cref="Messages.Ad"/>.</summary>
    Ad = 1,

    /// <summary><see cref="Messages.Offer"/>.</summary>
    Offer = 2,

    /// <summary><see cref="Messages.Refusal"/>.</summary>
    Refusal = 3,

    /// <summary><see cref="Messages.Extend"/>.</summary>
    Extend = 4,

    /// <summary><see cref="Messages.Confirm"/>.</summary>
    Confirm = 5,

    /// <summary><see cref="Messages.Ack"/>.</summary>
    Ack = 6,

    /// <summary><see cref="Messages.Nack"/>.</summary>
    Nack = 7,

    /// <summary><see cref="Messages.Go"/>.</summary>
    Go = 8,

    /// <summary><see cref="Messages.Release"/>.</summary>
    Release = 9,

    /// <summary><see cref="Messages.Heartbeat"/>.</summary>
    Heartbeat = 10,

    /// <summary><see cref="Messages.HeartbeatReply"/>.</summary>
    HeartbeatReply = 11,

    /// <summary><see cref="Messages.Reconcile"/>.</summary>
    Reconcile = 12,

    /// <summary><see cref="Messages.ReconcileReply"/>.</summary>
    ReconcileReply = 13,

    /// <summary><see cref="Messages.Probe"/>.</summary>
    Probe = 14,

    /// <summary><see cref="Messages.ProbeReply"/>.</summary>
    ProbeReply = 15,

    /// <summary><see cref="Messages.Notice"/>.</summary>
    Notice = 16,

    /// <summary><see cref="Messages.Cancel"/>.</summary>
    Cancel = 17,

    /// <summary><see cref="Messages.Result"/>.</summary>
    Result = 18,

    /// <summary><see cref="Messages.ResultAck"/>.</summary>
    ResultAck = 19,

    /// <summary><see cref="Messages.Receipt"/>.</summary>
    Receipt = 20,

    /// <summary><see cref="Messages.Quote"/>.</summary>
    Quote = 21,

    /// <summary><see cref="Messages.Closed"/>.</summary>
    Closed = 22,

    /// <summary><see cref="Messages.Steal"/>.</summary>
    Steal = 23,

    /// <summary><see cref="Messages.LogChunk"/>.</summary>
    LogChunk = 24,

    /// <summary><see cref="Messages.StdinChunk"/>.</summary>
    StdinChunk = 25,

    /// <summary><see cref="Messages.StdinCredit"/>.</summary>
    StdinCredit = 26,
}
