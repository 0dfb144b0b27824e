using Drap.Core.Jobs;
using Drap.Core.Journal;

namespace Drap.Node.Home;

/// <summary>How much room a home's journal keeps for itself on its disk.</summary>
internal static class JournalReserve
{
    private const string Variable = "DRAP_JOURNAL_RESERVE";
    // A new segment takes 256 KiB at once: less than some of these is no room.
    private const long BytesMin = 1 << 20, BytesMax = 1 << 30;

    /// <summary><c>DRAP_JOURNAL_RESERVE</c>, a size such as 64MiB, from 1 MiB to 1 GiB, or <see cref="ReservedStorage.BytesDefault"/>; 0 keeps none.</summary>
    /// <exception cref="HomeException">The variable is no such size.</exception>
    public static long Read()
    {
        string? text = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(text))
            return ReservedStorage.BytesDefault;
        return ByteSize.TryParse(text, out ByteSize size) && size.Bytes is 0 or (>= BytesMin and <= BytesMax) ? size.Bytes : throw new HomeException(
            HomeProblem.NotUsable, $"{Variable} is '{text}'", $"set it to {ByteSize.Form}, from 1MiB to 1GiB; 0 keeps no room");
    }
}
