namespace Drap.Core.Messages;

/// <summary>Why an attempt was ended, as people read it.</summary>
internal static class CancelReasonWords
{
    /// <summary>The detail of its result.</summary>
    public static string Detail(this CancelReason reason) => reason switch
    {
        CancelReason.User => "cancelled",
        CancelReason.Settled => "not wanted any more: another attempt's result was accepted, or it was released",
        CancelReason.Superseded => "superseded: the scheduler had given it up",
        CancelReason.Unknown => "unknown to its scheduler",
        CancelReason.Budget => "the job's budget is used up",
        _ => "ended by its scheduler",
    };
}
