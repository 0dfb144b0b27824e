namespace Drap.Core.Market.Arbitration;

/// <summary>
/// Which ads of one scheduler and epoch were heard: a sliding window over their sequence numbers, as IPsec has it (RFC 4303, 3.4.3).
/// What was seen, or is below the window, is refused; what only comes out of order is not. No clock is asked.
/// </summary>
public sealed class AdWindow
{
    /// <summary>Ads that may overtake one: at a thousand ads a second a whole second of disorder.</summary>
    public const int Size = 1024;

    private readonly ulong[] seen = new ulong[Size / 64];
    private long highest = -1;

    /// <summary>Takes a number in; false if it was seen, is below the window, or is negative.</summary>
    public bool TryAccept(long sequence)
    {
        if (sequence < 0 || sequence <= highest - Size)
            return false;
        if (sequence > highest)
            Advance(sequence);
        ref ulong word = ref seen[(int)(sequence % Size) / 64];
        ulong bit = 1UL << (int)(sequence % 64);
        if ((word & bit) != 0)
            return false;
        word |= bit;
        return true;
    }

    private void Advance(long sequence)
    {
        if (sequence - highest >= Size)
        {
            Array.Clear(seen);
        }
        else
        {
            for (long between = highest + 1; between <= sequence; between++)
                seen[(int)(between % Size) / 64] &= ~(1UL << (int)(between % 64));
        }
        highest = sequence;
    }
}
