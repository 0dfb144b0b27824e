namespace Drap.Core;

/// <summary>The terms of a credit line: what an owner gives a principal.</summary>
public sealed record CreditTerms
{
    /// <summary>Refilled over each day of 24 hours. Default 100 credits: 100 hours of a common GPU, or 2 500 core hours, at default prices.</summary>
    public Credits DailyAllowance { get; init; } = new(100 * Credits.MicroPerCredit);

    /// <summary>The most that the balance can be; the line starts with it. Default one day's allowance, so that unused days do not pile up.</summary>
    public Credits Cap { get; init; } = new(100 * Credits.MicroPerCredit);

    /// <summary>
    /// How often the refill is paid in. Default an hour: fine enough that nobody waits for midnight, coarse enough to be seen in a
    /// ledger. Zero refills continuously.
    /// </summary>
    public TimeSpan RefillEvery { get; init; } = TimeSpan.FromHours(1);

    /// <summary>For the owner's own principal: as much as a limit can say.</summary>
    public static readonly CreditTerms Unlimited = new() { DailyAllowance = Credits.LimitMax, Cap = Credits.LimitMax };

    /// <summary>What is wrong, as "field: what it is, what is allowed"; null if nothing.</summary>
    public string? Validate()
    {
        if (DailyAllowance < Credits.Zero || DailyAllowance > Credits.LimitMax)
            return $"daily allowance: {DailyAllowance} given, 0 to {Credits.LimitMax} credits allowed";
        if (Cap < Credits.Zero || Cap > Credits.LimitMax)
            return $"cap: {Cap} given, 0 to {Credits.LimitMax} credits allowed";
        if (RefillEvery < TimeSpan.Zero || RefillEvery > TimeSpan.FromDays(1))
            return $"refill: every {RefillEvery} given, 0 to 1 day allowed";
        return null;
    }
}
