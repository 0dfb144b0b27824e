using System.Text;
using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>What workers answered last, in one line for a person: kept with what found no place, when the market can no longer be asked.</summary>
public static class LastAnswers
{
    /// <summary>Most bytes of UTF-8: with a sentence before it the line fits a text of the journal, which has 1 024. Workers beyond that are counted.</summary>
    public const int BytesMax = 800;

    /// <summary>Room for the count of those that are left out.</summary>
    private const int TailBytes = 32;

    /// <summary><c>large (memory: needs 9.1 TiB, has 4 GiB), small (needs label ssd)</c>, by name; empty if nobody refused.</summary>
    /// <param name="answers">The last answers of each worker, of all groups of the segment.</param>
    /// <param name="nameOf">What a worker is called.</param>
    public static string Say(IEnumerable<GroupAnswer> answers, Func<PeerId, string> nameOf)
    {
        string[] workers =
        [
            .. answers.GroupBy(a => a.Worker)
                .Select(w => (Name: nameOf(w.Key), Worker: w.Key, Words: string.Join(" or ", w.Select(Say).Where(s => s.Length > 0).Distinct())))
                .Where(w => w.Words.Length > 0)
                .OrderBy(w => w.Name, StringComparer.Ordinal).ThenBy(w => w.Worker)
                .Select(w => $"{w.Name} ({w.Words})"),
        ];
        var line = new StringBuilder();
        int bytes = 0;
        for (int i = 0; i < workers.Length; i++)
        {
            string next = i == 0 ? workers[i] : ", " + workers[i];
            bytes += Encoding.UTF8.GetByteCount(next);
            if (bytes > BytesMax - TailBytes)
                return i == 0 ? $"{workers.Length} nodes refused" : $"{line} and {workers.Length - i} more";
            line.Append(next);
        }
        return line.ToString();
    }

    private static string Say(GroupAnswer answer) => answer.Refusal switch
    {
        null => answer.Verdict,
        { Shortages.IsEmpty: false } no => string.Join(
            "; ", no.Shortages.Select(s => $"{s.Dimension}: needs {Amounts.Of(s.Dimension, s.Needed)}, has {Amounts.Of(s.Dimension, s.Available)}{(no.Reason == RefusalReason.Busy ? " free" : "")}")),
        { Reason: RefusalReason.Price } no => $"asks {no.Ask}",
        { Reason: RefusalReason.Constraint or RefusalReason.Driver } no => $"needs {no.Detail}",
        { Reason: RefusalReason.Quota } no => $"quota of {no.Detail}",
        { Reason: RefusalReason.Principal } no => $"does not let {no.Detail} in",
        { Detail.Length: > 0 } no => no.Detail,
        { } no => no.Reason.ToString().ToLowerInvariant(),
    };
}
