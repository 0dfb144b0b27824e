namespace Drap.Libp2p.RequestResponse;

/// <summary>An asker's numbers: which is next, and below which all are settled. Memory is what is under way and what was settled out of turn.</summary>
public sealed class SettledNumbers
{
    private readonly HashSet<long> early = [];

    /// <summary>All numbers below this one are settled.</summary>
    public long Settled { get; private set; } = 1;

    /// <summary>The next number.</summary>
    public long Next { get; private set; } = 1;

    /// <summary>Requests that are not settled.</summary>
    public int UnderWay { get; private set; }

    /// <summary>Whether another request may be sent: not too many are under way, and the oldest is not too far behind.</summary>
    public bool CanTake(RequestOptions options) => UnderWay < options.UnderWayMax && Next - Settled < options.AnswersPerSessionMax;

    /// <summary>Takes the next number.</summary>
    public long Take()
    {
        UnderWay++;
        return Next++;
    }

    /// <summary>The request of this number will not be sent again.</summary>
    public void Settle(long number)
    {
        Invariant.Check(number >= Settled && number < Next);
        UnderWay--;
        if (number != Settled)
        {
            early.Add(number);
            return;
        }
        Settled++;
        while (early.Remove(Settled))
            Settled++;
    }
}
