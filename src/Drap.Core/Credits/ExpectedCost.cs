namespace Drap.Core;

/// <summary>
/// What an offer is expected to cost, for the comparison of offers; never what is paid. The lower total wins, of equals the one that
/// ends earlier, then the cheaper; who is then still equal is ordered by the caller's hash(worker, task).
/// </summary>
/// <param name="TotalMicro">Money, time and risk together, in micro-credits.</param>
/// <param name="Time">From now to the end of the task.</param>
/// <param name="Money">What would be paid.</param>
public readonly record struct ExpectedCost(Int128 TotalMicro, TimeSpan Time, Credits Money) : IComparable<ExpectedCost>
{
    /// <inheritdoc/>
    public int CompareTo(ExpectedCost other)
    {
        int byTotal = TotalMicro.CompareTo(other.TotalMicro);
        if (byTotal != 0)
            return byTotal;
        int byTime = Time.CompareTo(other.Time);
        return byTime != 0 ? byTime : Money.CompareTo(other.Money);
    }
}

/// <summary>What the scheduler knows of an offer.</summary>
/// <param name="Price">The offered price.</param>
/// <param name="Bid">The job's bid: the scale of what its time is worth.</param>
/// <param name="Estimate">How long the task takes on a worker of speed 1000.</param>
/// <param name="SpeedPermille">This worker's measured speed for this segment, 1000 where nothing is measured; from 1.</param>
/// <param name="BytesToFetch">Input bytes that this worker does not hold.</param>
/// <param name="StartDelay">Until it could start, fetching included.</param>
/// <param name="TrustPermille">Of its attempts, how many ended well, in permille; 0 to 1000.</param>
public readonly record struct OfferFacts(
    Price Price, Price Bid, TimeSpan Estimate, int SpeedPermille, long BytesToFetch, TimeSpan StartDelay, int TrustPermille);

/// <summary>How a job compares offers. Pure: the same facts give the same cost.</summary>
public interface IOfferPolicy
{
    /// <summary>As the job file names it.</summary>
    string Name { get; }

    /// <summary>What to expect of the offer.</summary>
    ExpectedCost Expect(in OfferFacts facts);
}
