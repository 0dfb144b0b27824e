using System.Numerics;

namespace Drap.Core.Market.Pricing;

/// <summary>
/// How many soft offers one worker may have out beyond what it has free. Most offers lose, so a worker that offers only what it has
/// stands idle; a worker that offers too much must refuse confirmations. In between it learns: soft offers grow with the odds of losing,
/// times a share that rises while refusals are rare and is halved, and overbooking switched off, when more than 2 % of the last
/// confirmations were refused. It comes back when they are below 1 %. Not thread-safe.
/// </summary>
public sealed class Overbooking
{
    /// <summary>How many confirmations are looked back on.</summary>
    public const int Window = 512;

    /// <summary>Soft offers never exceed this many times what is free, whatever is learnt.</summary>
    public const int FactorMax = 8;

    private const int OffPermille = 20, OnPermille = 10;
    private const int ShareStart = 100, ShareStep = 25, StepEvery = 64;

    private readonly ulong[] refused = new ulong[Window / 64];
    private int next, filled, refusals, sinceStep;

    /// <summary>What is learnt of the odds that an offer is confirmed.</summary>
    public WinRate WinRate { get; } = new();

    /// <summary>Of what the odds would bear, how much is used, in permille.</summary>
    public int SharePermille { get; private set; } = ShareStart;

    /// <summary>Whether overbooking is switched off for too many refusals.</summary>
    public bool IsOff { get; private set; }

    /// <summary>Refused confirmations within the window, in permille; 0 before the first.</summary>
    public int RefusedPermille => filled == 0 ? 0 : refusals * 1000 / filled;

    /// <summary>
    /// How many soft offers may stand beyond the <paramref name="free"/> places that there are: free × (1 / win rate − 1) × share,
    /// rounded down. 0 while it is off.
    /// </summary>
    public int SoftOffers(int free)
    {
        if (IsOff || free <= 0)
            return 0;
        long rate = WinRate.Millionths;
        long odds = (long)free * (Factor.Whole - rate) / rate;
        return (int)Math.Min(odds * SharePermille / 1000, (long)free * FactorMax);
    }

    /// <summary>Counts an offer whose end is known: confirmed, or lapsed.</summary>
    public void ObserveOffer(bool confirmed) => WinRate.Observe(confirmed);

    /// <summary>Counts a confirmation, firm ones too, that was acknowledged or had to be refused because the place was gone.</summary>
    public void ObserveConfirmation(bool wasRefused)
    {
        ulong bit = 1UL << (next % 64);
        ref ulong word = ref refused[next / 64];
        if ((word & bit) != 0)
            refusals--;
        word = wasRefused ? word | bit : word & ~bit;
        refusals += wasRefused ? 1 : 0;
        next = (next + 1) % Window;
        filled = Math.Min(filled + 1, Window);
        Adapt();
    }

    /// <summary>The counts agree with the bits.</summary>
    public void CheckInvariants()
    {
        int bits = 0;
        foreach (ulong word in refused)
            bits += BitOperations.PopCount(word);
        Invariant.Check(bits == refusals && refusals <= filled);
    }

    private void Adapt()
    {
        // 2 % of what was seen, but of at least 50: the first refusal alone decides nothing.
        if (refusals * 1000 > OffPermille * Math.Max(filled, 50))
        {
            if (!IsOff)
                SharePermille = Math.Max(SharePermille / 2, 1);
            IsOff = true;
            sinceStep = 0;
        }
        else if (refusals * 1000 <= OnPermille * Math.Max(filled, 50))
        {
            IsOff = false;
            if (++sinceStep < StepEvery)
                return;
            sinceStep = 0;
            SharePermille = Math.Min(SharePermille + ShareStep, 1000);
        }
    }
}
