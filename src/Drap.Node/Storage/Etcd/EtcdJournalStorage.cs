using System.Globalization;
using System.Text;
using Drap.Core.Journal;

namespace Drap.Node.Storage.Etcd;

/// <summary>
/// A journal's files in etcd, for a scheduler that is to survive its machine. Copies are etcd's business (Raft): what a sync has returned for is on a
/// majority of the members' disks.
/// <code>
/// PREFIX leader                    who may write
/// PREFIX last                      who led last
/// PREFIX owner                     whose journal it is, whoever leads
/// PREFIX names/NAME                id of the file of that name
/// PREFIX files/ID/OFFSET.LENGTH    a piece of it, as it was written; both in hexadecimal
/// </code>
/// Each write compares the leader's key. Names and deletions are single steps. A sync of more than <see cref="StepBytesMax"/> is several, in the order in which
/// it was written: a crash between them leaves a torn tail, as on a disk.
/// </summary>
/// <remarks>
/// While etcd does not answer, or has no space, calls wait and try again, and say why to <c>waiting</c>; nothing is acknowledged meanwhile. Only the end of the leadership
/// ends them, with <see cref="JournalStorageFault.Superseded"/>. Of one file, a place is written once.
/// </remarks>
public sealed class EtcdJournalStorage : IJournalStorage, IDisposable
{
    /// <summary>Most bytes of one step: etcd takes requests of up to 1.5 MiB, names and lengths included.</summary>
    public const int StepBytesMax = 1 << 20;

    /// <summary>Most writes of one step: etcd takes 128.</summary>
    public const int StepWritesMax = 100;

    private static readonly TimeSpan RetryFirst = TimeSpan.FromMilliseconds(50), RetryLongest = TimeSpan.FromMilliseconds(500);

    private readonly EtcdAddress address;
    private readonly EtcdClient client;
    private readonly EtcdLeadership leadership;
    private readonly Action<string?>? waiting;
    private readonly Lock gate = new();
    private readonly Dictionary<string, string> names = new(StringComparer.Ordinal);
    private int created;

    private EtcdJournalStorage(EtcdAddress address, EtcdLeadership leadership, Action<string?>? waiting)
    {
        this.address = address;
        this.leadership = leadership;
        this.waiting = waiting;
        client = new EtcdClient(address);
    }

    /// <summary>Opens the journal that <paramref name="leadership"/> is of.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="owner">Whose it is: a scheduler, which its workers know. The first who opens it says that.</param>
    /// <param name="leadership">Lets it write; its owner disposes it, after this.</param>
    /// <param name="waiting">Told, once for each reason, why a call waits; and null when it went on. On the caller's thread.</param>
    /// <exception cref="JournalStorageException">It is another's, or this node does not lead any more.</exception>
    public static EtcdJournalStorage Open(EtcdAddress address, string owner, EtcdLeadership leadership, Action<string?>? waiting = null)
    {
        var storage = new EtcdJournalStorage(address, leadership, waiting);
        try
        {
            storage.Claim(owner);
            storage.ReadNames();
            return storage;
        }
        catch
        {
            storage.Dispose();
            throw;
        }
    }

    /// <summary>Whose a journal is; null while nobody has led it.</summary>
    /// <exception cref="EtcdException">etcd does not answer.</exception>
    public static string? OwnerOf(EtcdAddress address)
    {
        using var client = new EtcdClient(address);
        return client.Range(OwnerKey(address), OwnerKey(address) + '\0') is [var known] ? Encoding.UTF8.GetString(known.Value) : null;
    }

    /// <summary>A journal is not that of whoever would have it.</summary>
    public static JournalStorageException Others(EtcdAddress address, string owner, string asker) => new(
        JournalStorageFault.Forbidden, address.ToString(),
        $"the journal {address} is that of {owner}, and this is {asker}; give this one a name of its own, or stand by for that one (--standby)");

    /// <summary>Journals in etcd have small segments, since a file's deletion is one step; and no zeros ahead, which are for disks.</summary>
    public static JournalOptions Options(ulong salt) => new(salt) { SegmentBytes = 16 << 20, ReserveBytes = 0 };

    /// <summary>No hint: etcd says when it has none, and then the call waits.</summary>
    public long FreeBytes => long.MaxValue;

    /// <inheritdoc/>
    public IReadOnlyList<string> List()
    {
        lock (gate)
            return [.. names.Keys];
    }

    /// <inheritdoc/>
    public IJournalFile Open(string name)
    {
        string id;
        lock (gate)
            id = names.TryGetValue(name, out string? known) ? known : throw new JournalStorageException(JournalStorageFault.Missing, PathOf(name), $"there is no {PathOf(name)}");
        string prefix = Prefix(id);
        return new EtcdFile(this, name, id, [.. Try(() => client.Range(prefix, After(prefix), keysOnly: true)).Select(e => EtcdPiece.Parse(e.Key[prefix.Length..]))]);
    }

    /// <inheritdoc/>
    public IJournalFile Create(string name)
    {
        string id;
        lock (gate)
            id = string.Create(CultureInfo.InvariantCulture, $"{leadership.Revision:x16}-{++created:x8}");
        Step([.. Removal(name), new EtcdWrite.Put(NameKey(name), Encoding.UTF8.GetBytes(id))]);
        lock (gate)
            names[name] = id;
        return new EtcdFile(this, name, id, []);
    }

    /// <inheritdoc/>
    public void Rename(string from, string to)
    {
        string id;
        lock (gate)
            id = names[from];
        Step([.. Removal(to), new EtcdWrite.Put(NameKey(to), Encoding.UTF8.GetBytes(id)), new EtcdWrite.DeleteRange(NameKey(from), NameKey(from) + '\0')]);
        lock (gate)
        {
            names.Remove(from);
            names[to] = id;
        }
    }

    /// <inheritdoc/>
    public void Delete(string name)
    {
        Step([.. Removal(name), new EtcdWrite.DeleteRange(NameKey(name), NameKey(name) + '\0')]);
        lock (gate)
            names.Remove(name);
        try
        {
            client.Compact(client.Revision);
        }
        catch (EtcdException)
        {
            // Somebody else has compacted to there already, or the next deletion does it.
        }
    }

    /// <summary>Names are safe as soon as they are given.</summary>
    public void SyncDirectory()
    {
    }

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    private void Claim(string owner)
    {
        string key = OwnerKey(address);
        if (Try(() => client.Range(key, key + '\0')) is not [var known])
            Step([new EtcdWrite.Put(key, Encoding.UTF8.GetBytes(owner))]);
        else if (Encoding.UTF8.GetString(known.Value) is { } other && other != owner)
            throw Others(address, other, owner);
    }

    private void ReadNames()
    {
        string prefix = $"{address.Prefix}names/";
        foreach (EtcdEntry entry in Try(() => client.Range(prefix, After(prefix))))
            names[entry.Key[prefix.Length..]] = Encoding.UTF8.GetString(entry.Value);
    }

    private IEnumerable<EtcdWrite> Removal(string name)
    {
        lock (gate)
            return names.TryGetValue(name, out string? id) ? [new EtcdWrite.DeleteRange(Prefix(id), After(Prefix(id)))] : [];
    }

    /// <summary>Keys of a range with what they hold, as soon as etcd answers.</summary>
    internal IReadOnlyList<EtcdEntry> Range(string first, string end, int limit) => Try(() => client.Range(first, end, limit));

    /// <summary>Writes all of it in one step, as soon as etcd takes it.</summary>
    internal void Step(IReadOnlyList<EtcdWrite> writes)
    {
        // Refused is who does not lead: for a while, if its lease ended and it leads on, or for good.
        while (!Try(() => client.TryWrite(leadership.Guard, leadership.Revision, writes)))
            leadership.WaitLost(RetryFirst);
    }

    /// <summary>Tries until it succeeds or the leadership is over.</summary>
    private T Try<T>(Func<T> call)
    {
        TimeSpan pause = RetryFirst;
        string? said = null;
        while (true)
        {
            if (leadership.IsLost)
                throw Superseded();
            try
            {
                T result = call();
                if (said is not null)
                    waiting?.Invoke(null);
                return result;
            }
            catch (EtcdException e) when (e.Fault != EtcdFault.Refused)
            {
                string why = e.Fault == EtcdFault.NoSpace
                    ? $"{e.Message}: etcd's database is full; give it more room (--quota-backend-bytes) or compact and defragment it, then etcdctl alarm disarm"
                    : e.Message;
                if (said is null)
                    waiting?.Invoke(said = why);
            }
            catch (EtcdException e)
            {
                throw new JournalStorageException(JournalStorageFault.Failed, address.ToString(), e.Message, e);
            }
            leadership.WaitLost(pause);
            pause = new TimeSpan(Math.Min(2 * pause.Ticks, RetryLongest.Ticks));
        }
    }

    private JournalStorageException Superseded() =>
        new(JournalStorageFault.Superseded, address.ToString(), $"this node does not lead the journal {address} any more: another has followed");

    private static string OwnerKey(EtcdAddress address) => $"{address.Prefix}owner";

    private string NameKey(string name) => $"{address.Prefix}names/{name}";

    /// <summary>With which the keys of a file's pieces begin.</summary>
    internal string Prefix(string id) => $"{address.Prefix}files/{id}/";

    /// <summary>What a person knows a file by.</summary>
    internal string PathOf(string name) => $"{address}/{name}";

    /// <summary>The first key behind those that begin with a prefix: '0' comes after '/', with which it ends.</summary>
    internal static string After(string prefix) => $"{prefix[..^1]}0";
}
