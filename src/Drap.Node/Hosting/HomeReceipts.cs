using System.Collections.Immutable;
using Drap.Api;
using Drap.Node.Evidences;
using Drap.Node.Home;

namespace Drap.Node.Hosting;

/// <summary>What receipts say that lie in a home: those of its workers, and those that others' workers gave its scheduler.</summary>
internal static class HomeReceipts
{
    /// <summary>Adds them up by name.</summary>
    public static (ImmutableArray<LedgerTotal> Earned, ImmutableArray<LedgerTotal> Billed) Read(HomeFolder home)
    {
        string workers = Path.GetDirectoryName(home.WorkerFolder("w"))!;
        IEnumerable<string> folders = Directory.Exists(workers) ? Directory.EnumerateDirectories(workers).Select(WorkerFolder.EvidenceOf) : [];
        return (Sum(folders.SelectMany(folder => EvidenceLog.Totals(folder))), Sum(EvidenceLog.Totals(home.EvidenceFolder)));
    }

    private static ImmutableArray<LedgerTotal> Sum(IEnumerable<ReceiptTotal> totals) =>
        [.. totals.GroupBy(t => t.Name, StringComparer.Ordinal).OrderBy(t => t.Key, StringComparer.Ordinal)
            .Select(t => new LedgerTotal(t.Key, t.Sum(one => one.Attempts), new Core.Credits(t.Sum(one => one.Amount.Micro))))];
}
