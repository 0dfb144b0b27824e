using Drap.Core.Journal;
using Drap.Node.Home;
using Drap.Node.Storage;
using Drap.Node.Storage.Etcd;
using Drap.Node.Time;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>What keeps a scheduler's journal: a folder of its home, or etcd, where only the leader writes. Its home remembers which.</summary>
internal sealed class SchedulerJournal : IDisposable
{
    private readonly IDisposable disk;
    private readonly EtcdLeadership? leadership;
    private readonly Func<ulong, JournalOptions> options;
    private volatile string? shortOf;

    private SchedulerJournal(string folder, long reserve, ILogger logger)
    {
        FileJournalStorage files = FileJournalStorage.OpenDirectory(folder);
        disk = files;
        options = salt => new JournalOptions(salt);
        var reserved = new ReservedStorage(files, reserve, isShort =>
        {
            if (isShort)
                HostLog.DiskFull(logger, folder, files.FreeBytes);
            else
                HostLog.RoomAgain(logger, folder);
            Tell(isShort ? "the disk of this node's home is full" : null);
        });
        Storage = reserved;
        reserved.Look();
    }

    private SchedulerJournal(EtcdAddress address, EtcdLeadership leadership, string scheduler, ILogger logger)
    {
        this.leadership = leadership;
        leadership.Lost = () => Failed?.Invoke(new JournalStorageException(
            JournalStorageFault.Superseded, address.ToString(), $"another node leads the journal {address} now; it goes on with the jobs, and this one ends"));
        options = EtcdJournalStorage.Options;
        EtcdJournalStorage keys = EtcdJournalStorage.Open(address, scheduler, leadership, why =>
        {
            if (why is not null)
                HostLog.JournalWaits(logger, why);
            else
                HostLog.JournalGoesOn(logger, address.ToString());
            Tell(why);
        });
        disk = keys;
        Storage = keys;
    }

    /// <summary>Its files.</summary>
    public IJournalStorage Storage { get; }

    /// <summary>Whether what it acknowledged may be said: not when another may lead by now, in which case what is not said is lost, as messages are.</summary>
    public bool MaySpeak => leadership is null || BootClock.Now < leadership.SafeUntil;

    /// <summary>Why nothing new is to be begun, since it could not be recorded; null when it can.</summary>
    public string? ShortOf => shortOf;

    /// <summary>Whether it is on a disk that is full.</summary>
    public bool IsDiskShort => Storage is ReservedStorage { IsShort: true };

    /// <summary>Told when <see cref="ShortOf"/> changes; on the thread that found out.</summary>
    public Action<string?>? Changed { get; set; }

    /// <summary>Told when it is another's now, whether or not anything was to be written; on the thread that found out.</summary>
    public Action<JournalException>? Failed { get; set; }

    /// <summary>How its log is kept.</summary>
    public JournalOptions Options(ulong salt) => options(salt);

    /// <summary>Opens a home's journal where it is, or where it is to be; in etcd it waits until nobody else leads.</summary>
    /// <param name="home">The home, whose lock the caller holds.</param>
    /// <param name="wanted">Where in etcd; null where it is, or in the home's folder.</param>
    /// <param name="scheduler">Whose it is.</param>
    /// <param name="logger">For its lines.</param>
    /// <param name="warn">What a person at the terminal should read: for whom it waits.</param>
    /// <param name="cancel">Gives the wait up.</param>
    /// <exception cref="HomeException">The home's journal is elsewhere.</exception>
    /// <exception cref="JournalException">It cannot be used.</exception>
    public static SchedulerJournal Open(HomeFolder home, EtcdAddress? wanted, PeerId scheduler, ILogger logger, Action<string> warn, CancellationToken cancel) =>
        Place(home, wanted) is not { } address ? OnDisk(home, logger) : Lead(
            address,
            EtcdLeadership.Take(
                address, $"{Environment.MachineName} ({scheduler.Short}, process {Environment.ProcessId})", why => warn($"waiting for the journal: {why}"), cancel),
            scheduler, logger);

    /// <summary>Opens the one on a home's disk.</summary>
    /// <exception cref="JournalException">It cannot be used.</exception>
    public static SchedulerJournal OnDisk(HomeFolder home, ILogger logger) => new(home.JournalFolder, JournalReserve.Read(), logger);

    /// <summary>Opens one in etcd that this node leads.</summary>
    /// <param name="address">The journal.</param>
    /// <param name="leadership">Disposed with it, or if it cannot be opened.</param>
    /// <param name="scheduler">Whose it is.</param>
    /// <param name="logger">For its lines.</param>
    /// <exception cref="JournalException">It cannot be used.</exception>
    public static SchedulerJournal Lead(EtcdAddress address, EtcdLeadership leadership, PeerId scheduler, ILogger logger)
    {
        try
        {
            return new SchedulerJournal(address, leadership, scheduler.ToString(), logger);
        }
        catch
        {
            leadership.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        disk.Dispose();
        leadership?.Dispose();
    }

    /// <summary>Where in etcd a home's journal is, or is to be from now on; null if on its disk.</summary>
    /// <param name="home">The home, whose lock the caller holds.</param>
    /// <param name="wanted">Where it is to be; null where it is.</param>
    /// <exception cref="HomeException">It is elsewhere.</exception>
    public static EtcdAddress? Place(HomeFolder home, EtcdAddress? wanted)
    {
        EtcdAddress? known = EtcdAddress.Read(home.JournalPlaceFile);
        if (wanted is null)
            return known;
        // Members come and go; the name stays.
        if (known is not null && known.Name != wanted.Name)
            throw new HomeException(HomeProblem.NotUsable, $"{home} keeps its journal in {known}", "leave --journal out, or set DRAP_HOME to another folder");
        if (known is null && Directory.Exists(home.JournalFolder) && Directory.EnumerateFiles(home.JournalFolder, "*.log").Any())
            throw new HomeException(
                HomeProblem.NotUsable, $"{home} keeps its journal on its disk", "a journal stays where it began: leave --journal out, or set DRAP_HOME to another folder");
        if (known?.ToString() != wanted.ToString())
            DurableFile.Write(home.JournalPlaceFile, System.Text.Encoding.UTF8.GetBytes($"{wanted}\n"));
        return wanted;
    }

    private void Tell(string? why)
    {
        shortOf = why;
        Changed?.Invoke(why);
    }
}
