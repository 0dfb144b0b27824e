using Drap.Core.Messages;

namespace Drap.Node.Hosting;

/// <summary>What a worker's shell answers for before its machine sees a message: that the sender may say what it says.</summary>
internal static class Imposture
{
    /// <summary>What is wrong with a message, of this sender; null if nothing is.</summary>
    /// <param name="from">Who sent it, as the overlay proved; for an ad who published it.</param>
    /// <param name="message">The message.</param>
    /// <param name="maySpeakFor">Whether a peer's certificate names a principal.</param>
    /// <param name="mayActFor">Whether a peer was lent the name of a scheduler.</param>
    public static string? In(PeerId from, Message message, Func<PeerId, Principal, bool> maySpeakFor, Func<PeerId, PeerId, bool> mayActFor)
    {
        // Whoever is taken for the scheduler gets its offers and results, and ends what it runs.
        PeerId scheduler = SchedulerIn(message) ?? from;
        if (scheduler != from && !mayActFor(from, scheduler))
            return $"it names {scheduler.Short} as its scheduler, whose name it was not lent";
        return message switch
        {
            Ad ad when !maySpeakFor(from, ad.Principal) => NotNamed(ad.Principal),
            Confirm confirm when !maySpeakFor(from, confirm.Principal) => NotNamed(confirm.Principal),
            _ => null,
        };
    }

    /// <summary>The scheduler that a message names as its own; null where it names none.</summary>
    public static PeerId? SchedulerIn(Message message) => message switch
    {
        Ad ad => ad.Scheduler,
        Confirm confirm => confirm.Scheduler,
        Heartbeat heartbeat => heartbeat.Scheduler,
        Reconcile reconcile => reconcile.Scheduler,
        _ => null,
    };

    private static string NotNamed(Principal principal) => $"it speaks for the principal {principal}, which its certificate does not name";
}
