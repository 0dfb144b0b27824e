using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Drap.Cli.Bench.Recovery;

/// <summary>Three members of etcd on loopback, as a bench's journal needs them; disposing ends them.</summary>
internal sealed class EtcdMembers : IDisposable
{
    private readonly ImmutableArray<Process> members;

    private EtcdMembers(ImmutableArray<Process> members, string journal)
    {
        this.members = members;
        Journal = journal;
    }

    /// <summary>A journal there.</summary>
    public string Journal { get; }

    /// <summary>Starts them with their data in a folder; null where there is no etcd on this machine.</summary>
    public static EtcdMembers? Start(string folder)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(p => File.Exists(Path.Combine(p, "etcd"))))
            return null;
        (string Name, string Client, string Peer)[] all = [.. Enumerable.Range(0, 3).Select(i => ($"m{i}", $"http://127.0.0.1:{FreePort()}", $"http://127.0.0.1:{FreePort()}"))];
        string cluster = string.Join(',', all.Select(m => $"{m.Name}={m.Peer}"));
        return new EtcdMembers(
            [.. all.Select(m => Start(folder, m, cluster))], $"etcd://{string.Join(',', all.Select(m => m.Client["http://".Length..]))}/bench");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Process member in members)
        {
            member.Kill();
            member.WaitForExit();
            member.Dispose();
        }
    }

    private static Process Start(string folder, (string Name, string Client, string Peer) m, string cluster) => Process.Start(new ProcessStartInfo("/bin/sh",
    [
        "-c", $"exec \"$@\" > '{folder}/{m.Name}.log' 2>&1", "sh", "etcd", "--name", m.Name, "--data-dir", Path.Combine(folder, m.Name),
        "--listen-client-urls", m.Client, "--advertise-client-urls", m.Client, "--listen-peer-urls", m.Peer, "--initial-advertise-peer-urls", m.Peer,
        "--initial-cluster", cluster, "--initial-cluster-state", "new",
    ]))!;

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
