namespace Drap.Core.Market.Pricing;

/// <summary>
/// How a price rises with use: 1.0 up to 50 %, linear to 2.0 at 80 %, from there 2·e^(5(u−0.8)), which is 5.4366 at 100 %. Kept as a
/// table with a knot at each percent and straight lines between, which is above the real curve by at most 0.04 %.
/// <para>
/// A bundle that moves utilisation from u0 to u1 pays the mean of the curve over [u0, u1]. So what a worker earns by being filled does
/// not depend on the steps: two bundles one after the other pay together what the whole would have paid.
/// </para>
/// </summary>
public static class UtilisationCurve
{
    /// <summary>Utilisation is given in millionths: this is 100 %. More than that counts as that.</summary>
    public const int Full = 1_000_000;

    private const int Step = Full / 100;

    // 2·e^(0.05·k), k = 0 … 20, in millionths, rounded to the nearest: written out, because the pure rooms compute without floats.
    private static readonly int[] Exponential =
    [
        2_000_000, 2_102_542, 2_210_342, 2_323_668, 2_442_806, 2_568_051, 2_699_718, 2_838_135, 2_983_649, 3_136_624, 3_297_443,
        3_466_506, 3_644_238, 3_831_082, 4_027_505, 4_234_000, 4_451_082, 4_679_294, 4_919_206, 5_171_419, 5_436_564,
    ];

    private static readonly int[] Knots = MakeKnots();
    private static readonly long[] Integrals = MakeIntegrals();

    /// <summary>The curve at <paramref name="utilisation"/>, in millionths.</summary>
    public static Factor At(int utilisation)
    {
        int u = Math.Clamp(utilisation, 0, Full);
        int k = u / Step;
        if (k == Knots.Length - 1)
            return new Factor(Knots[k]);
        return new Factor(Knots[k] + (int)((long)(Knots[k + 1] - Knots[k]) * (u % Step) / Step));
    }

    /// <summary>
    /// The mean of the curve between two utilisations, in millionths, rounded up; the curve's value where they are the same. A higher
    /// <paramref name="from"/> than <paramref name="to"/> is taken the other way round.
    /// </summary>
    public static Factor Mean(int from, int to)
    {
        int low = Math.Clamp(Math.Min(from, to), 0, Full);
        int high = Math.Clamp(Math.Max(from, to), 0, Full);
        if (low == high)
            return At(low);
        long width = high - low;
        return new Factor((int)((IntegralTo(high) - IntegralTo(low) + width - 1) / width));
    }

    private static long IntegralTo(int u)
    {
        int k = u / Step;
        long rest = u % Step;
        if (rest == 0)
            return Integrals[k];
        return Integrals[k] + Knots[k] * rest + (Knots[k + 1] - Knots[k]) * rest * rest / (2 * Step);
    }

    private static int[] MakeKnots()
    {
        int[] knots = new int[101];
        for (int percent = 0; percent <= 100; percent++)
        {
            knots[percent] = percent switch
            {
                <= 50 => Factor.Whole,
                < 80 => Factor.Whole + (percent - 50) * Factor.Whole / 30,
                _ => Exponential[percent - 80],
            };
        }
        return knots;
    }

    private static long[] MakeIntegrals()
    {
        long[] integrals = new long[Knots.Length];
        for (int k = 1; k < integrals.Length; k++)
            integrals[k] = integrals[k - 1] + (long)(Knots[k - 1] + Knots[k]) * Step / 2;
        return integrals;
    }
}
