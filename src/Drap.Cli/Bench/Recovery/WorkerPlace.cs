using System.Collections.Immutable;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Drap.Node.Overlay;

namespace Drap.Cli.Bench.Recovery;

/// <summary>
/// Where the worker that is to die runs, and how it does: in a network namespace of its own, whose link can be cut, or as any process. All workers are
/// started through a small script, which notes who is who and starts none a second time, since one that died is to stay dead.
/// </summary>
internal sealed class WorkerPlace : IDisposable
{
    /// <summary>The one that dies.</summary>
    public const string Victim = "w2";

    private const string Host = "10.254.253.1", Inside = "10.254.253.2";

    private readonly string folder;
    private readonly string? network;

    private WorkerPlace(string folder, string? network)
    {
        this.folder = folder;
        this.network = network;
    }

    /// <summary>Whether it has a network of its own.</summary>
    public bool HasNetwork => network is not null;

    /// <summary>Makes one in a folder that is there.</summary>
    /// <param name="folder">For the script and what it notes.</param>
    /// <param name="ownNetwork">Whether the victim is to have a network of its own; it has none where this machine or its user may not make one.</param>
    public static WorkerPlace Make(string folder, bool ownNetwork)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"drap{Environment.ProcessId}r");
        string outer = name + "o", inner = name + "i";
        bool made = ownNetwork && Environment.IsPrivilegedProcess && Try("ip", "netns", "add", name);
        var place = new WorkerPlace(folder, made ? name : null);
        if (made && !(Try("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
            && Try("ip", "addr", "add", Host + "/30", "dev", outer) && Try("ip", "link", "set", outer, "up")
            && Try("ip", "-n", name, "addr", "add", Inside + "/30", "dev", inner) && Try("ip", "-n", name, "link", "set", inner, "up")
            && Try("ip", "-n", name, "link", "set", "lo", "up")))
        {
            place.Dispose();
            place = new WorkerPlace(folder, null);
        }
        string into = place.network is null ? "" : $"nsenter --net=/run/netns/{place.network} ";
        File.WriteAllText(place.Script, $"""
            last=; worker=
            for word; do [ "$last" = --worker ] && worker=$word; last=$word; done
            [ -e '{folder}'/$worker.pid ] && exit 0
            echo $$ > '{folder}'/$worker.pid
            [ "$worker" = {Victim} ] && exec {into}"$@"
            exec "$@"

            """);
        return place;
    }

    private string Script => Path.Combine(folder, "worker.sh");

    /// <summary>The program that workers are started with, instead of <paramref name="program"/>.</summary>
    public ImmutableArray<string> Program(ImmutableArray<string> program) => ["/bin/sh", Script, .. program];

    /// <summary>What the scheduler, the worker that stays and the victim join over.</summary>
    public ImmutableArray<OverlayOptions> Overlays => network is null ? [Over("127.0.0.1")] : [Over(Host), Over(Host), Over(Inside)];

    /// <summary>Kills the victim; with a cut nobody hears of it: no packet of it arrives any more, not even that its sockets are closed.</summary>
    public string Kill(bool isSilent)
    {
        string pid = File.ReadAllText(Path.Combine(folder, Victim + ".pid")).Trim();
        if (!isSilent)
            Run("kill", "-KILL", pid);
        else if (network is null)
            Run("kill", "-STOP", pid);
        else
        {
            Run("ip", "-n", network, "link", "set", network + "i", "down");
            Run("kill", "-KILL", pid);
        }
        return !isSilent ? "killed" : network is null ? "stopped by SIGSTOP" : "its link cut, then killed";
    }

    public void Dispose()
    {
        if (network is not null)
            Try("ip", "netns", "del", network);
    }

    private static OverlayOptions Over(string address) => new()
    {
        Kind = OverlayKind.Libp2p, Listen = [Drap.Libp2p.Multiformats.Multiaddr.Parse($"/ip4/{address}/tcp/0")],
    };

    private static void Run(params string[] words)
    {
        if (!Try(words))
            throw new CliException(ExitCode.Error, $"'{string.Join(' ', words)}' failed", "the benchmark needs kill, and as root ip and nsenter");
    }

    private static bool Try(params string[] words)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(words[0], words.Skip(1)) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
