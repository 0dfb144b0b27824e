using System.Collections.Immutable;

namespace Drap.Core;

/// <summary>
/// A double-entry account book: each receipt takes an amount from the job's principal and gives it to the owner of the node, so that
/// all balances together are always zero. A job is opened before its first receipt and closed when its history is dropped; its sums stay
/// in the balances. A receipt counts once, by its attempt. Not thread-safe.
/// </summary>
public sealed class Ledger
{
    /// <summary>Open jobs; the history keeps no more tasks than this, so no more jobs. At the limit no job is opened.</summary>
    public const int JobsMax = 1_000_000;

    private readonly SortedDictionary<JobId, JobAccount> jobs = [];
    private readonly SortedDictionary<Principal, Int128> balances = [];

    /// <summary>All that was ever paid, closed jobs included, in micro-credits.</summary>
    public Int128 TotalMicro { get; private set; }

    /// <summary>Open jobs.</summary>
    public int Jobs => jobs.Count;

    /// <summary>Opens a job's account; false if it is open already or there are too many.</summary>
    public bool Open(JobId job, Principal payer) => jobs.Count < JobsMax && jobs.TryAdd(job, new JobAccount(payer));

    /// <summary>Books a receipt.</summary>
    public LedgerOutcome Apply(in Receipt receipt)
    {
        if (receipt.Amount < Credits.Zero || receipt.Amount > Credits.LimitMax || receipt.Billed < TimeSpan.Zero)
            return LedgerOutcome.BadAmount;
        if (!jobs.TryGetValue(receipt.Attempt.Task.Job, out JobAccount? job))
            return LedgerOutcome.UnknownJob;
        if (!job.TryBook(receipt))
            return LedgerOutcome.Duplicate;
        Post(job.Payer, -(Int128)receipt.Amount.Micro);
        Post(receipt.Payee, receipt.Amount.Micro);
        TotalMicro += receipt.Amount.Micro;
        return LedgerOutcome.Booked;
    }

    /// <summary>Drops a job's lines and what it remembers of its attempts; balances stay. Later receipts of it are of an unknown job.</summary>
    public bool Close(JobId job) => jobs.Remove(job);

    /// <summary>What a principal has earned less what it has spent, in micro-credits.</summary>
    public Int128 BalanceMicro(Principal principal) => balances.GetValueOrDefault(principal);

    /// <summary>What an open job has paid.</summary>
    public Credits SpentBy(JobId job) => jobs.TryGetValue(job, out JobAccount? account) ? account.Spent : Credits.Zero;

    /// <summary>The lines of one open job, by node; empty for an unknown one.</summary>
    public ImmutableArray<LedgerLine> LinesOf(JobId job) =>
        jobs.TryGetValue(job, out JobAccount? account) ? account.Lines(job) : [];

    /// <summary>The lines of all open jobs, by job and node.</summary>
    public IEnumerable<LedgerLine> Lines => jobs.SelectMany(entry => entry.Value.Lines(entry.Key));

    /// <summary>All balances, by principal.</summary>
    public IEnumerable<KeyValuePair<Principal, Int128>> BalancesMicro => balances;

    /// <summary>Balances add up to zero; each open job's lines add up to what it has paid; no more is open than was ever paid.</summary>
    public void CheckInvariants()
    {
        Int128 sum = 0;
        foreach (Int128 balance in balances.Values)
            sum += balance;
        Invariant.Check(sum == 0);
        Int128 open = 0;
        foreach (JobAccount job in jobs.Values)
        {
            job.CheckInvariants();
            open += job.Spent.Micro;
        }
        Invariant.Check(open <= TotalMicro);
    }

    private void Post(Principal principal, Int128 micro) => balances[principal] = balances.GetValueOrDefault(principal) + micro;

    private sealed class JobAccount(Principal payer)
    {
        private readonly HashSet<AttemptId> booked = [];
        private readonly SortedDictionary<(PeerId Node, Principal Payee), (Credits Amount, TimeSpan Billed, int Attempts)> lines = [];

        public Principal Payer => payer;

        public Credits Spent { get; private set; }

        public bool TryBook(in Receipt receipt)
        {
            if (!booked.Add(receipt.Attempt))
                return false;
            var (amount, billed, attempts) = lines.GetValueOrDefault((receipt.Node, receipt.Payee));
            lines[(receipt.Node, receipt.Payee)] = (amount + receipt.Amount, billed + receipt.Billed, attempts + 1);
            Spent += receipt.Amount;
            return true;
        }

        public ImmutableArray<LedgerLine> Lines(JobId job) =>
        [
            .. lines.Select(line =>
                new LedgerLine(job, payer, line.Key.Payee, line.Key.Node, line.Value.Amount, line.Value.Billed, line.Value.Attempts)),
        ];

        public void CheckInvariants()
        {
            Int128 sum = 0;
            int attempts = 0;
            foreach (var line in lines.Values)
            {
                sum += line.Amount.Micro;
                attempts += line.Attempts;
            }
            Invariant.Check(sum == Spent.Micro && attempts == booked.Count);
        }
    }
}

/// <summary>What became of a receipt.</summary>
public enum LedgerOutcome
{
    /// <summary>It counts.</summary>
    Booked,

    /// <summary>A receipt for this attempt counts already.</summary>
    Duplicate,

    /// <summary>Its job is not open.</summary>
    UnknownJob,

    /// <summary>Its amount or time is negative or too large.</summary>
    BadAmount,
}

/// <summary>That an attempt was paid for, as the ledger books it; the signed message carries the same.</summary>
/// <param name="Attempt">The attempt; one receipt each.</param>
/// <param name="Payee">The owner of the node.</param>
/// <param name="Node">Where it ran.</param>
/// <param name="Amount">What it cost.</param>
/// <param name="Billed">The billed time.</param>
public readonly record struct Receipt(AttemptId Attempt, Principal Payee, PeerId Node, Credits Amount, TimeSpan Billed);

/// <summary>What one job has paid on one node.</summary>
/// <param name="Job">The job.</param>
/// <param name="Payer">Who paid.</param>
/// <param name="Payee">Who was paid.</param>
/// <param name="Node">Where.</param>
/// <param name="Amount">How much.</param>
/// <param name="Billed">For which time.</param>
/// <param name="Attempts">For how many attempts.</param>
public sealed record LedgerLine(JobId Job, Principal Payer, Principal Payee, PeerId Node, Credits Amount, TimeSpan Billed, int Attempts);
