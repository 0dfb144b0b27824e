using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>A swarm that <c>drap dev</c> runs in a folder of its own; disposing stops it in order and removes the folder.</summary>
internal sealed class DevRoom : IAsyncDisposable
{
    /// <summary>Far more than any of this takes on a busy machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Process dev;
    private readonly Task<string> said;

    private DevRoom(string folder, Process dev, Task<string> said, JsonNode swarm)
    {
        Folder = folder;
        this.dev = dev;
        this.said = said;
        Swarm = swarm;
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public string Folder { get; }

    /// <summary>What it printed of itself.</summary>
    public JsonNode Swarm { get; }

    public static async Task<DevRoom> StartAsync(params string[] arguments)
    {
        string folder = Directory.CreateTempSubdirectory("drap-dev-").FullName;
        Process dev = Drap(["dev", .. arguments, "--home", Path.Combine(folder, "home"), "-o", "json"]);
        Task<string> said = dev.StandardError.ReadToEndAsync(Cancel);
        string? line = await dev.StandardOutput.ReadLineAsync(Cancel).AsTask().WaitAsync(Patience, Cancel);
        return new DevRoom(folder, dev, said, JsonNode.Parse(line ?? throw new InvalidOperationException(await said))!);
    }

    /// <summary>Writes a file.</summary>
    public string File(string name, string text)
    {
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, text);
        return path;
    }

    /// <summary>What a command says as JSON.</summary>
    public async Task<JsonNode> ReadAsync(params string[] arguments) => JsonNode.Parse(await RunAsync([.. arguments, "-o", "json"]))!;

    /// <summary>Runs a command in the swarm's home, which must succeed; returns what it printed.</summary>
    public async Task<string> RunAsync(params string[] arguments)
    {
        using Process run = Drap([.. arguments, "--home", Path.Combine(Folder, "home")]);
        Task<string> output = run.StandardOutput.ReadToEndAsync(Cancel), error = run.StandardError.ReadToEndAsync(Cancel);
        await run.WaitForExitAsync(Cancel).WaitAsync(Patience, Cancel);
        Assert.True(run.ExitCode == 0, $"drap {string.Join(' ', arguments)} ended with {run.ExitCode}: {await error}{await output}");
        return await output;
    }

    public async ValueTask DisposeAsync()
    {
        using Process stop = Drap("stop", "--home", Path.Combine(Folder, "home"));
        await stop.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience, CancellationToken.None);
        await dev.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience, CancellationToken.None);
        Directory.Delete(Folder, recursive: true);
        int code = dev.ExitCode;
        dev.Dispose();
        Assert.True(code == 0, $"drap dev ended with {code}: {await said}");
    }

    private static Process Drap(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "drap.dll"), .. arguments])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        start.Environment["NO_COLOR"] = "1";
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }
}
