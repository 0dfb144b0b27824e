using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Drap.Cli.Nodes;
using Drap.Core.Nodes;
using Drap.Libp2p.Multiformats;
using Drap.Node.Drivers;
using Drap.Node.Guarding;
using Drap.Node.Hosting;
using Drap.Node.Hosting.Workers;
using Drap.Node.Overlay;

namespace Drap.Cli.Commands;

/// <summary>
/// A worker as a process of its own, started by another process of ours. That one steers it: it says <c>stop</c> on the standard input for an orderly
/// end; when the input ends without a word, it is no more, and so must this be, with all that runs here. Ctrl+C, which a terminal sends to both, is
/// therefore left to it; TERM, which is sent to one, is heeded.
/// </summary>
internal static class WorkerCommand
{
    public static async Task<int> RunAsync(
        Invocation call, string name, NodeHostOptions which, string region, string overlay, string[] bootstrap, bool isMember, long? endsAt, bool serveNoop)
    {
        if (!OverlayOptions.TryParse(overlay, out OverlayOptions? joins, out string? error)
            || !OverlayOptions.TryParseAddresses("--bootstrap", bootstrap, named: true, dialed: true, out ImmutableArray<Multiaddr> peers, out error))
            throw new CliException(ExitCode.Usage, error);
        var handlers = new HandlerRegistry();
        if (serveNoop)
            handlers.Register("noop", (_, _) => ValueTask.CompletedTask);
        var end = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            end.TrySetResult(true);
        });
        // Not disposed: the thread that listens outlives this.
        var starting = new CancellationTokenSource();
        var draining = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Listen(call.Context.Stdin(), () => draining.TrySetResult(), isOrderly =>
        {
            end.TrySetResult(isOrderly);
            starting.Cancel();
        });
        WorkerHost host;
        try
        {
            host = await WorkerHost.StartAsync(
                call.Home, name, new WorkerChoice(which.WorkersFile, which.Workers, which.Terms), region, joins with { Bootstrap = [.. joins.Bootstrap, .. peers] }, isMember, endsAt is { } at ? new Instant(at) : null, [.. BackgroundNode.Program(), GuardProcess.Word], call.Context.Err.WriteLine, handlers,
                ConsoleLogs.Create(call.Context.Err), starting.Token);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Ok;
        }
        await using (host)
        {
            call.Context.Interrupts.Leaving = host.Abort;
            await call.Context.Out.WriteLineAsync(new WorkerReport(host.Peer.ToString(), host.Addresses).ToLine());
            await call.Context.Out.FlushAsync(CancellationToken.None);
            if (await Task.WhenAny(draining.Task, end.Task, host.WentByItself, host.Completion) == draining.Task)
                host.Drain();
            Task first = await Task.WhenAny(end.Task, host.WentByItself, host.Completion);
            if (first == host.Completion)
                await host.Completion;
            else if (first == host.WentByItself)
                await call.Context.Err.WriteLineAsync(await host.WentByItself == LeaveCause.Idle ? "nobody had a task for it" : "the node's time is over");
            else if (!await end.Task)
                host.Abort();
        }
        return ExitCode.Ok;
    }

    /// <summary>Waits for a word on the standard input, or for its end, on a thread of its own: a read of a pipe cannot be taken back.</summary>
    private static void Listen(Stream input, Action drain, Action<bool> ended) => new Thread(() =>
    {
        using var words = new StreamReader(input);
        try
        {
            string? line;
            do
            {
                line = words.ReadLine();
                if (line == WorkerReport.DrainWord)
                    drain();
            }
            while (line is not (null or WorkerReport.StopWord));
            ended(line is not null);
        }
        catch (IOException)
        {
            ended(false);
        }
    }) { IsBackground = true, Name = "standard input" }.Start();
}
