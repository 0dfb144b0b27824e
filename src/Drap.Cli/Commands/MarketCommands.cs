using System.CommandLine;
using Drap.Api.Json;
using Drap.Cli.Nodes;
using Drap.Cli.Output;

namespace Drap.Cli.Commands;

/// <summary><c>drap market</c>, <c>drap ledger</c> and <c>drap usage</c>.</summary>
internal static class MarketCommands
{
    private const int entriesUsual = 20;

    public static IEnumerable<Command> All(Common common) => [Market(common), Ledger(common), Usage(common)];

    private static Command Market(Common common)
    {
        var explain = new Option<bool>("--explain") { Description = "With each factor of each price" };
        return common.Command("market", "Show the nodes, what they have free and what they ask", ["drap market", "drap market --explain", "drap market -o json"], async call =>
        {
            await using NodeSession session = await NodeSession.BackgroundAsync(call.Context, call.Home, call.Cancel);
            MarketDocument market = await session.Node.MarketAsync(call.Get(explain), call.Cancel);
            call.Screen.Write(market, ApiJson.Indented.MarketDocument, o => Tables.Market(market, o), () => market.Nodes.Select(n => n.Name));
            return ExitCode.Ok;
        }, explain);
    }

    private static Command Ledger(Common common)
    {
        var job = new Argument<string?>("JOB") { Description = "Only this job's receipts", Arity = ArgumentArity.ZeroOrOne };
        var limit = new Option<int>("--limit", "-n") { Description = $"Receipts at most [default: {entriesUsual}]", HelpName = "N", DefaultValueFactory = _ => entriesUsual };
        return common.Command("ledger", "Show who owes whom, and the last receipts", ["drap ledger", "drap ledger last"], async call =>
        {
            await using NodeSession session = await NodeSession.ReadAsync(call.Context, call.Home, call.Cancel);
            LedgerDocument ledger = await session.Node.LedgerAsync(await JobAsync(call, session, job), Math.Clamp(call.Get(limit), 0, 10_000), call.Cancel);
            call.Screen.Write(ledger, ApiJson.Indented.LedgerDocument, o => Tables.Ledger(ledger, o), () => ledger.Entries.Select(e => e.Amount.ToString()));
            return ExitCode.Ok;
        }, job, limit);
    }

    private static Command Usage(Common common)
    {
        var job = new Argument<string?>("JOB") { Description = "Only this job", Arity = ArgumentArity.ZeroOrOne };
        return common.Command("usage", "Show what jobs asked for against what they used", ["drap usage last"], async call =>
        {
            await using NodeSession session = await NodeSession.ReadAsync(call.Context, call.Home, call.Cancel);
            UsageDocument usage = await session.Node.UsageAsync(await JobAsync(call, session, job), call.Cancel);
            call.Screen.Write(usage, ApiJson.Indented.UsageDocument, o => Tables.Usage(usage, o), () => usage.Rows.Select(r => r.Segment));
            return ExitCode.Ok;
        }, job);
    }

    private static async Task<JobId?> JobAsync(Invocation call, NodeSession session, Argument<string?> argument)
    {
        if (call.Get(argument) is not { } text)
            return null;
        return Selector.TryParse(text, out Selector selector) && selector.Tasks.IsEmpty
            ? await session.Node.ResolveAsync(selector.Job, call.Cancel)
            : throw new CliException(ExitCode.Usage, $"'{text}' names no job; allowed: last, a job's number, or the first digits of its id");
    }
}
