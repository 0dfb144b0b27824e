namespace Drap.Core.Health;

/// <summary>
/// Whether a scheduler confirms its share: with five answers a place one in five offers wins by chance alone. Who confirms less than a
/// quarter of that makes workers hold resources for nothing, and gets soft offers until it does better.
/// </summary>
public sealed class FairWins
{
    // Eight wins should have come before anybody is judged; twice that is remembered.
    private const int Judged = 8_000, Remembered = 16_000;

    private int expected, actual;

    /// <summary>Whether it confirms so seldom that nothing is held for it.</summary>
    public bool IsSeldom => expected >= Judged && actual * 4 < expected;

    /// <summary>An offer among <paramref name="rivals"/> likely ones was confirmed, or was not.</summary>
    public void Observe(int rivals, bool confirmed)
    {
        expected += 1000 / Math.Clamp(rivals, 1, 1000);
        actual += confirmed ? 1000 : 0;
        if (expected < Remembered && actual < Remembered)
            return;
        expected /= 2;
        actual /= 2;
    }
}
