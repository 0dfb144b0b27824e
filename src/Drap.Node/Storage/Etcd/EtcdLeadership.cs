using System.Text;
using Drap.Node.Time;

namespace Drap.Node.Storage.Etcd;

/// <summary>
/// Who may write a journal in etcd: the one whose key <c>leader</c> is there, under a lease that it keeps alive. The key's revision goes into each write
/// (<see cref="EtcdClient.TryWrite(string, long, IReadOnlyList{EtcdWrite})"/>), so that whoever was paused, and has been followed by another, writes nothing when it wakes.
/// </summary>
/// <remarks>
/// A thread of its own keeps the lease alive, so that a slow write cannot end it. Where it ended all the same (the machine slept, etcd was away) and nobody has
/// led since, which the key <c>last</c> tells, it leads on under a new one.
/// </remarks>
public sealed class EtcdLeadership : IDisposable
{
    /// <summary>After so much silence another may follow. etcd takes at least one and a half of its election time-outs, which is 1.5 s as it comes.</summary>
    public static readonly TimeSpan LeaseLength = TimeSpan.FromSeconds(3);

    /// <summary>Nothing that binds is said in the last part of the lease: it may be over at etcd's clock a little before it is at this one.</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan KeepAliveInterval = TimeSpan.FromMilliseconds(500), CampaignInterval = TimeSpan.FromMilliseconds(200);

    private readonly EtcdClient client;
    private readonly EtcdAddress address;
    private readonly string holder;
    private readonly ManualResetEventSlim ended = new();
    private readonly Thread thread;
    private readonly Action<string>? trouble;
    private long lease, tried;
    private long revision;
    private long safeUntil;

    private EtcdLeadership(EtcdAddress address, EtcdClient client, string holder, long lease, long revision, Instant safeUntil, Action<string>? trouble)
    {
        this.address = address;
        this.client = client;
        this.holder = holder;
        this.lease = lease;
        this.revision = revision;
        this.trouble = trouble;
        this.safeUntil = safeUntil.Nanoseconds;
        Guard = GuardOf(address);
        thread = new Thread(KeepAlive) { Name = "etcd lease", IsBackground = true };
        thread.Start();
    }

    /// <summary>The key of the leader.</summary>
    public string Guard { get; }

    /// <summary>At what revision this leader's key was made: it names the term, and grows from term to term.</summary>
    public long Revision => Interlocked.Read(ref revision);

    /// <summary>Until when nobody else can be leader, with <see cref="Margin"/> taken off. It moves on while etcd answers.</summary>
    public Instant SafeUntil => new(Interlocked.Read(ref safeUntil));

    /// <summary>Whether another has followed; then it is over for good.</summary>
    public bool IsLost => ended.IsSet;

    /// <summary>Told once, when another has followed; on the thread that found out.</summary>
    public Action? Lost { get; set; }

    /// <summary>Waits until another has followed.</summary>
    /// <returns>False if it lasted longer than <paramref name="wait"/>.</returns>
    public bool WaitLost(TimeSpan wait) => ended.Wait(wait);

    /// <summary>Waits until nobody leads, then leads. While another does, or etcd does not answer, it tries again five times a second.</summary>
    /// <param name="address">The journal.</param>
    /// <param name="holder">Who this is, for people who look: at most 256 bytes.</param>
    /// <param name="waiting">Told, once for each reason, why it still waits; then, while it leads, why the lease could not be kept alive.</param>
    /// <param name="cancel">Gives up.</param>
    public static EtcdLeadership Take(EtcdAddress address, string holder, Action<string>? waiting, CancellationToken cancel)
    {
        var client = new EtcdClient(address);
        try
        {
            string said = "";
            while (true)
            {
                cancel.ThrowIfCancellationRequested();
                string why;
                try
                {
                    if (TryTake(address, client, holder, waiting, out why) is { } taken)
                        return taken;
                }
                catch (EtcdException e) when (e.Fault != EtcdFault.Refused)
                {
                    why = e.Message;
                }
                if (why != said)
                    waiting?.Invoke(said = why);
                cancel.WaitHandle.WaitOne(CampaignInterval);
            }
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Gives the leadership up: another may follow at once.</summary>
    public void Dispose()
    {
        ended.Set();
        thread.Join();
        try
        {
            client.RevokeLease(lease);
        }
        catch (EtcdException)
        {
            // It ends by itself, then.
        }
        client.Dispose();
        ended.Dispose();
    }

    private static EtcdLeadership? TryTake(EtcdAddress address, EtcdClient client, string holder, Action<string>? trouble, out string why)
    {
        string guard = GuardOf(address);
        if (LeaderOf(client, guard) is { } other)
        {
            why = $"{other.Name} leads {address}";
            return null;
        }
        Instant asked = BootClock.Now;
        long lease = client.GrantLease(LeaseLength);
        client.TryWrite(guard, 0, Claim(address, holder, lease));
        // Whether it was written is asked, not concluded: an answer that was lost on its way made the client write twice.
        (string Name, long Lease, long Revision)? leader = LeaderOf(client, guard);
        if (leader?.Lease != lease)
        {
            client.RevokeLease(lease);
            why = leader is { } faster ? $"{faster.Name} leads {address}" : $"the lease of {address} ended at once";
            return null;
        }
        why = "";
        return new EtcdLeadership(address, client, holder, lease, leader.Value.Revision, asked + LeaseLength - Margin, trouble);
    }

    /// <summary>Leads under a new lease, if nobody has led since this one's ended.</summary>
    private bool TryLeadOn(out string follower)
    {
        Instant asked = BootClock.Now;
        // A try whose answer was lost may have succeeded: it is gone on with.
        long fresh = tried = tried != 0 && client.KeepAlive(tried) > TimeSpan.Zero ? tried : client.GrantLease(LeaseLength);
        client.TryWrite(Guard, 0, Last(address, lease), Claim(address, holder, fresh));
        (string Name, long Lease, long Revision)? leader = LeaderOf(client, Guard);
        follower = leader?.Name ?? "another";
        if (leader?.Lease != fresh)
        {
            client.RevokeLease(fresh);
            return false;
        }
        (lease, tried) = (fresh, 0);
        Interlocked.Exchange(ref revision, leader.Value.Revision);
        Interlocked.Exchange(ref safeUntil, (asked + LeaseLength - Margin).Nanoseconds);
        return true;
    }

    private static EtcdWrite[] Claim(EtcdAddress address, string holder, long lease) =>
        [new EtcdWrite.Put(GuardOf(address), Encoding.UTF8.GetBytes($"{lease:x16} {holder}"), lease), Last(address, lease)];

    private static EtcdWrite.Put Last(EtcdAddress address, long lease) => new($"{address.Prefix}last", Encoding.UTF8.GetBytes($"{lease:x16}"));

    private static (string Name, long Lease, long Revision)? LeaderOf(EtcdClient client, string guard)
    {
        if (client.Range(guard, guard + '\0') is not [var entry])
            return null;
        string[] parts = Encoding.UTF8.GetString(entry.Value).Split(' ', 2);
        return parts is [var hex, var name] && long.TryParse(hex, System.Globalization.NumberStyles.HexNumber, null, out long lease)
            ? (name, lease, entry.Created)
            : ($"an unknown program ({guard})", 0, entry.Created);
    }

    private static string GuardOf(EtcdAddress address) => $"{address.Prefix}leader";

    private void KeepAlive()
    {
        string said = "";
        while (!ended.Wait(KeepAliveInterval))
        {
            Instant asked = BootClock.Now;
            try
            {
                TimeSpan left = client.KeepAlive(lease);
                if (left <= TimeSpan.Zero)
                {
                    if (TryLeadOn(out string follower))
                        continue;
                    trouble?.Invoke($"{follower} leads {address} now");
                    ended.Set();
                    Lost?.Invoke();
                    return;
                }
                // From when it was asked, which is before etcd began to count.
                Interlocked.Exchange(ref safeUntil, (asked + TimeSpan.FromTicks(Math.Min(left.Ticks, LeaseLength.Ticks)) - Margin).Nanoseconds);
                said = "";
            }
            catch (EtcdException e)
            {
                if (e.Message != said && !ended.IsSet)
                    trouble?.Invoke(said = e.Message);
            }
        }
    }
}
