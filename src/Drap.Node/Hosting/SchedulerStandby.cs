using Drap.Core.Journal;
using Drap.Core.Membership;
using Drap.Libp2p.Host;
using Drap.Node.Home;
using Drap.Node.Membership;
using Drap.Node.Storage;
using Drap.Node.Storage.Etcd;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>
/// Waits until a journal in etcd is led by nobody, then leads it: in its owner's name, which the owner has lent while both were up. The owner itself waits so, too, when it
/// comes back and another leads.
/// </summary>
/// <param name="address">The journal.</param>
/// <param name="self">This node.</param>
/// <param name="home">Its home.</param>
/// <param name="desk">Where it has the owner's name lent; null in a swarm without certificates, where nobody stands in for anybody.</param>
/// <param name="seat">Where the scheduler will sit.</param>
/// <param name="mayStandIn">Whether its owner wants it to take another's place.</param>
/// <param name="logger">For the journal's lines.</param>
/// <param name="warn">What a person at the terminal should read.</param>
internal sealed class SchedulerStandby(
    EtcdAddress address, PeerId self, HomeFolder home, StandbyDesk? desk, SchedulerSeat seat, bool mayStandIn, ILogger logger, Action<string> warn)
{
    private static readonly TimeSpan AsksAgain = TimeSpan.FromSeconds(1), RenewsEvery = TimeSpan.FromHours(1);

    // While both are up the name is lent anew when half of its time is over.
    private static readonly TimeSpan Fresh = Delegation.LifetimeMax / 2;

    private string said = "";

    /// <summary>Whose journal it is; null while nobody has ever led it.</summary>
    public PeerId? Owner { get; private set; }

    /// <summary>Whether somebody was told that it waits.</summary>
    public bool HasWaited => said.Length > 0;

    /// <summary>Completes when this node leads.</summary>
    /// <exception cref="JournalStorageException">The journal is another's, and this node is not to stand in.</exception>
    public async Task<SchedulerJournal> LeadAsync(CancellationToken cancel)
    {
        while ((Owner = await OwnerAsync(cancel).ConfigureAwait(false)) is null && mayStandIn)
        {
            Say($"nobody has led {address} yet: it stands by for whoever does first");
            await Task.Delay(AsksAgain, cancel).ConfigureAwait(false);
        }
        if (Owner is { } owner && owner != self && !mayStandIn)
            throw EtcdJournalStorage.Others(address, owner.ToString(), self.ToString());
        if (Owner is { } lender && lender != self)
            while (!desk!.Holds(lender, TimeSpan.Zero))
            {
                await AskAsync(lender, cancel).ConfigureAwait(false);
                await Task.Delay(AsksAgain, cancel).ConfigureAwait(false);
            }
        seat.StandsByFor = Owner;
        Task<EtcdLeadership> taking = Task.Run(
            () => EtcdLeadership.Take(address, $"{Environment.MachineName} ({self.Short}, process {Environment.ProcessId})", why => Say($"it stands by: {why}"), cancel), cancel);
        while (await Task.WhenAny(taking, Task.Delay(RenewsEvery, cancel)).ConfigureAwait(false) != taking)
            if (Owner is { } still && still != self && !desk!.Holds(still, Fresh))
                await AskAsync(still, cancel).ConfigureAwait(false);
        return SchedulerJournal.Lead(address, await taking.ConfigureAwait(false), Owner ?? self, logger);
    }

    private async Task<PeerId?> OwnerAsync(CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                return await Task.Run(() => EtcdJournalStorage.OwnerOf(address), cancel).ConfigureAwait(false) is { } text && PeerId.TryParse(text, out PeerId owner) ? owner : null;
            }
            catch (EtcdException e)
            {
                Say($"waiting for the journal: {e.Message}");
            }
            await Task.Delay(AsksAgain, cancel).ConfigureAwait(false);
        }
    }

    private async Task AskAsync(PeerId lender, CancellationToken cancel)
    {
        try
        {
            StandbyReply? reply = await desk!.AskAsync(lender, cancel).ConfigureAwait(false);
            if (reply is null)
                Say($"it cannot stand by yet: the scheduler {lender} is not connected, which must lend its name");
            else if (reply.Refusal != StandbyRefusal.None)
                Say($"it cannot stand by: {Why(reply.Refusal, lender)}");
            else
                DurableFile.Write(home.LentSecretKeyFile(lender), [.. reply.SecretKey]);
        }
        catch (Exception e) when (e is Libp2pException or IOException)
        {
            Say($"it cannot stand by yet: the scheduler {lender} was not reached: {e.Message}");
        }
    }

    private static string Why(StandbyRefusal refusal, PeerId lender) => refusal switch
    {
        StandbyRefusal.OtherPrincipal => $"the scheduler {lender} is another principal's; one stands by for a scheduler of one's own",
        StandbyRefusal.NoScheduler => "this node's certificate does not give the role scheduler",
        StandbyRefusal.JournalOnDisk => $"the scheduler {lender} keeps its journal on its disk now",
        _ => $"{lender} is not that scheduler any more",
    };

    private void Say(string what)
    {
        if (what == said)
            return;
        said = what;
        seat.Waits = what;
        warn(what);
    }
}
