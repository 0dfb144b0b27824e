using System.CommandLine;
using Drap.Node.Overlay;

namespace Drap.Cli.Commands;

/// <summary><c>drap bench</c>, <c>drap completion</c> and <c>drap version</c>.</summary>
internal static class ToolCommands
{
    private const int placementUsual = 200, instancesUsual = 60, sandboxUsual = 500;

    public static IEnumerable<Command> All(Common common) => [Bench(common), Completion(common), Version(common)];

    private static Command Bench(Common common)
    {
        var tasks = new Option<int>("--tasks", "-n") { Description = $"How many, one at a time [default: {placementUsual}]", HelpName = "N", DefaultValueFactory = _ => placementUsual };
        var instances = new Option<int>("--instances", "-n")
        {
            Description = $"Problems of each family [default: {instancesUsual}]", HelpName = "N", DefaultValueFactory = _ => instancesUsual,
        };
        var sandboxed = new Option<int>("--tasks", "-n") { Description = $"How many of each kind [default: {sandboxUsual}]", HelpName = "N", DefaultValueFactory = _ => sandboxUsual };
        var overlay = new Option<string>("--overlay")
        {
            Description = "memory, all in this process; or libp2p, a process for each worker [default: memory]", HelpName = "KIND", DefaultValueFactory = _ => "memory",
        };
        return common.Command(
            "bench", "Measure this machine and drap on it", ["drap bench placement", "drap bench throughput -o json", "drap bench packing"],
            common.Command(
                "placement", "From submit to start and to the result, one no-op task at a time on an idle swarm", ["drap bench placement -n 1000 -o json"],
                call => common.Context.Bench.PlacementAsync(call.Screen, Overlay(call.Get(overlay)!), call.Get(tasks), call.Cancel), overlay, tasks),
            common.Command(
                "throughput", "Tasks per second, from 100 to 100 000 tasks", ["drap bench throughput -o json"],
                call => common.Context.Bench.ThroughputAsync(call.Screen, Overlay(call.Get(overlay)!), call.Cancel), overlay),
            common.Command(
                "sandbox", "Tasks per second in the sandbox and as plain processes, beside what bubblewrap and spawning alone reach", ["drap bench sandbox -n 500 -o json"],
                call => common.Context.Bench.SandboxAsync(call.Screen, Math.Clamp(call.Get(sandboxed), 10, 100_000), call.Cancel), sandboxed),
            common.Command(
                "recovery", "What the death of a worker costs, when its sockets close and when its machine falls silent; a restart of the scheduler, and a standby in its place", ["drap bench recovery -o json"],
                call => common.Context.Bench.RecoveryAsync(call.Screen, call.Cancel)),
            common.Command(
                "packing", "How near to the optimum a worker packs random windows of tasks, by strategy, and in what time", ["drap bench packing -n 10 -o json"],
                call => common.Context.Bench.PackingAsync(call.Screen, Math.Clamp(call.Get(instances), 1, 10_000), call.Cancel), instances));
    }

    private static OverlayOptions Overlay(string text) => !OverlayOptions.TryParse(text, out OverlayOptions? overlay, out string? error)
        ? throw new CliException(ExitCode.Usage, error)
        : overlay.Kind == OverlayKind.P2pd ? throw new CliException(ExitCode.Usage, $"--overlay: found '{text}'; allowed: memory, libp2p") : overlay;

    private static Command Completion(Common common)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        return common.Command(
            "completion", "Print a script that completes drap's commands in a shell",
            ["drap completion bash > ~/.local/share/bash-completion/completions/drap", "drap completion fish > ~/.config/fish/completions/drap.fish"], call =>
            {
                call.Screen.Data.Write(CompletionScripts.Of(call.Get(shell)!));
                return Task.FromResult(ExitCode.Ok);
            }, shell);
    }

    private static Command Version(Common common) => common.Command("version", "Print drap's version", ["drap version -o json"], call =>
    {
        DrapVersion.Write(call.Screen);
        return Task.FromResult(ExitCode.Ok);
    });
}
