using System.Numerics;

namespace Drap.Core.Market.Pricing;

/// <summary>
/// How many soft offers one worker may have out beyond what it has free. Most offers lose, so a worker that offers only what it has
/// stands idle; a worker that offers too much must refuse confirmations. In between it learns: soft offers grow with the odds of losing,
/// times a share that rises by an eighth while less than 0.5 % of the last confirmations were refused, and falls by an eighth above 1 %.
/// Above 2 % the share is halved and overbooking is off for at least the next 64 confirmations, until they are below 1 %. Not thread-safe.
/// </summary>
public sealed class Overbooking
{
    /// <summary>How many confirmations are looked back on.</summary>
    public const int Window = 512;

    /// <summary>Soft offers never exceed this many times what is free, whatever is learnt.</summary>
    public const int FactorMax = 8;

    private const int OffPermille = 20, OnPermille = 10, RisePermille = 5;

    // Half a window lies between two steps: a step's refusals are seen before the next is taken, or the share would swing.
    // Off for so many confirmations at least: the soft offers that are still out end meanwhile.
    private const int Rest = 64;

    private const int ShareStart = 200, StepEvery = Window / 2;

    private readonly ulong[] refused = new ulong[Window / 64];
    private int next, filled, refusals, sinceStep;

    /// <summary>What is learnt of the odds that an offer is confirmed.</summary>
    public WinRate WinRate { get; } = new();

    /// <summary>Of what the odds would bear, how much is used, in permille.</summary>
    public int SharePermille { get; private set; } = ShareStart;

    /// <summary>Whether overbooking is switched off for too many refusals.</summary>
    public bool IsOff { get; private set; }

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
        // Parts of what was seen, but of at least 50: the first refusal alone decides nothing.
        long permille = refusals * 1000L / Math.Max(filled, 50);
        if (IsOff)
            IsOff = permille >= OnPermille || filled < Rest;
        else if (permille > OffPermille)
            SwitchOff();
        if (IsOff || ++sinceStep < StepEvery)
            return;
        sinceStep = 0;
        if (permille < RisePermille)
            SharePermille = Math.Min(SharePermille + SharePermille / 8 + 1, 1000);
        else if (permille >= OnPermille)
            SharePermille = Math.Max(SharePermille * 7 / 8, 1);
    }

    /// <summary>Half the share has other odds, so the count begins anew; kept, the old refusals would hold it off for hours at a low win rate.</summary>
    private void SwitchOff()
    {
        IsOff = true;
        SharePermille = Math.Max(SharePermille / 2, 1);
        Array.Clear(refused);
        (next, filled, refusals, sinceStep) = (0, 0, 0, 0);
    }
}
