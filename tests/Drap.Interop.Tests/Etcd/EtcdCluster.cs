using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Drap.Node.Storage.Etcd;
using Xunit;

namespace Drap.Tests.Interop.Etcd;

/// <summary>Members of an etcd cluster on loopback, with their data in a folder of their own.</summary>
internal sealed class EtcdCluster : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("drap-etcd-").FullName;
    private readonly ImmutableArray<Member> members;
    private readonly long quota;

    private EtcdCluster(int size, long quota)
    {
        this.quota = quota;
        members = [.. Enumerable.Range(0, size).Select(i => new Member($"m{i}", FreePort(), FreePort()))];
        for (int i = 0; i < size; i++)
            Start(i);
    }

    /// <summary>Where a journal of this cluster is.</summary>
    public EtcdAddress Address(string name) => new([.. members.Select(m => m.Client)], name);

    /// <summary>Starts a cluster; who asks it first waits until it has a leader.</summary>
    public static EtcdCluster Start(int size, long quota = 0)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(p => File.Exists(Path.Combine(p, "etcd"))))
            Assert.Skip("there is no etcd; install the package etcd-server");
        return new EtcdCluster(size, quota);
    }

    public void Start(int member)
    {
        Member m = members[member];
        var start = new ProcessStartInfo("etcd")
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
            ArgumentList =
            {
                "--name", m.Name, "--data-dir", Path.Combine(folder, m.Name), "--heartbeat-interval", "50", "--election-timeout", "500",
                "--listen-client-urls", m.Client.AbsoluteUri.TrimEnd('/'), "--advertise-client-urls", m.Client.AbsoluteUri.TrimEnd('/'),
                "--listen-peer-urls", m.Peer, "--initial-advertise-peer-urls", m.Peer,
                "--initial-cluster", string.Join(',', members.Select(o => $"{o.Name}={o.Peer}")), "--initial-cluster-state", "new", "--logger", "zap",
            },
        };
        if (quota > 0)
        {
            start.ArgumentList.Add("--quota-backend-bytes");
            start.ArgumentList.Add($"{quota}");
        }
        m.Process = Process.Start(start)!;
        // Whoever does not read lets it stop at a full pipe.
        m.Process.OutputDataReceived += static (_, _) => { };
        m.Process.ErrorDataReceived += static (_, _) => { };
        m.Process.BeginOutputReadLine();
        m.Process.BeginErrorReadLine();
    }

    /// <summary>Ends a member as a power cut does.</summary>
    public void Kill(int member)
    {
        members[member].Process!.Kill();
        members[member].Process!.WaitForExit();
        members[member].Process!.Dispose();
        members[member].Process = null;
    }

    /// <summary>The member that leads the others.</summary>
    public async Task<int> LeaderAsync(CancellationToken cancel)
    {
        for (int i = 0; i < members.Length; i++)
        {
            EtcdStatus status = await CallAsync<EtcdStatus>(i, "maintenance/status", new { }, cancel);
            if (status.Leader == status.Header.Member_id)
                return i;
        }
        throw new InvalidOperationException("no member says that it leads");
    }

    /// <summary>What an operator does when the database was full and has room again: defragments each member, and ends its alarm.</summary>
    public async Task MakeRoomAsync(CancellationToken cancel)
    {
        for (int i = 0; i < members.Length; i++)
            await CallAsync<object>(i, "maintenance/defragment", new { }, cancel);
        EtcdAlarms raised = await CallAsync<EtcdAlarms>(0, "maintenance/alarm", new { action = "GET" }, cancel);
        foreach (EtcdAlarm alarm in raised.Alarms)
            await CallAsync<object>(0, "maintenance/alarm", new { action = "DEACTIVATE", memberID = alarm.MemberID, alarm = alarm.Alarm }, cancel);
    }

    public ValueTask DisposeAsync()
    {
        for (int i = 0; i < members.Length; i++)
            if (members[i].Process is not null)
                Kill(i);
        Directory.Delete(folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task<T> CallAsync<T>(int member, string method, object request, CancellationToken cancel)
    {
        using var http = new HttpClient();
        using HttpResponseMessage response = await http.PostAsJsonAsync(new Uri(members[member].Client, $"v3/{method}"), request, cancel);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<T>(cancel))!;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class Member(string name, int client, int peer)
    {
        public string Name => name;

        public Uri Client { get; } = new($"http://127.0.0.1:{client}");

        public string Peer => $"http://127.0.0.1:{peer}";

        public Process? Process { get; set; }
    }

    private sealed record EtcdStatus(EtcdHeader Header, string Leader);

    private sealed record EtcdAlarms(EtcdAlarm[] Alarms);

    private sealed record EtcdAlarm(string MemberID, string Alarm);

    private sealed record EtcdHeader(string Member_id);
}
