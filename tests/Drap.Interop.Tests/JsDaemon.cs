using System.Diagnostics;
using System.Text.Json.Nodes;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>js-libp2p's daemon as a process (tests/interop/daemon.js).</summary>
internal sealed class JsDaemon : IAsyncDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(60);

    private readonly Process process;

    private JsDaemon(Process process, JsonObject about)
    {
        this.process = process;
        Control = Multiaddr.Parse(about["control"]!.GetValue<string>());
        Id = PeerId.TryParse(about["id"]!.GetValue<string>(), out PeerId id) ? id : throw new FormatException("the daemon's peer id");
    }

    /// <summary>Where it listens for clients.</summary>
    public Multiaddr Control { get; }

    public PeerId Id { get; }

    /// <summary>Starts one; the options are those of the interop suite.</summary>
    public static async Task<JsDaemon> StartAsync(JsonObject options)
    {
        var start = new ProcessStartInfo("node", [Path.Combine(JsPackages.Folder, "daemon.js"), options.ToJsonString()])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, WorkingDirectory = JsPackages.Folder,
        };
        var process = Process.Start(start)!;
        CancellationToken cancel = TestContext.Current.CancellationToken;
        string? line = await process.StandardOutput.ReadLineAsync(cancel).AsTask().WaitAsync(patience, cancel);
        return new JsDaemon(process, JsonNode.Parse(line ?? throw new JsPeerException("js's daemon ended before it served"))!.AsObject());
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10), CancellationToken.None);
        }
        catch (TimeoutException)
        {
            process.Kill();
        }
        process.Dispose();
    }
}
