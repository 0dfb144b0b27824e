using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>A node or a swarm that a command of drap runs in a folder of its own; disposing stops it in order and removes the folder.</summary>
internal sealed class DevRoom : IAsyncDisposable
{
    private readonly ChildProgram dev;

    private DevRoom(string folder, ChildProgram dev, JsonNode swarm)
    {
        Folder = folder;
        this.dev = dev;
        Swarm = swarm;
    }

    public string Folder { get; }

    /// <summary>What it printed of itself.</summary>
    public JsonNode Swarm { get; }

    public string Home => Path.Combine(Folder, "home");

    public static Task<DevRoom> StartAsync(params string[] arguments) => StartInAsync(null, null, arguments);

    /// <summary>Starts one in a network; with <paramref name="workers"/> it has the workers that this text says.</summary>
    public static Task<DevRoom> StartInAsync(string? network, string? workers, params string[] arguments) =>
        StartCommandAsync(network, workers, ["dev", .. arguments]);

    /// <summary>Starts one by a command that stays and first says what it is.</summary>
    public static async Task<DevRoom> StartCommandAsync(string? network, string? workers, params string[] command)
    {
        string folder = Directory.CreateTempSubdirectory("drap-dev-").FullName;
        string[] which = workers is null ? [] : ["--workers", Write(folder, "workers.yaml", workers)];
        ChildProgram dev = ChildProgram.StartDrap(network, [.. command, .. which, "--home", Path.Combine(folder, "home"), "-o", "json"]);
        try
        {
            return new DevRoom(folder, dev, JsonNode.Parse(await dev.FirstLineAsync())!);
        }
        catch (Exception)
        {
            await dev.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes a file.</summary>
    public string File(string name, string text) => Write(Folder, name, text);

    /// <summary>What a command says as JSON.</summary>
    public async Task<JsonNode> ReadAsync(params string[] arguments) => JsonNode.Parse(await RunAsync([.. arguments, "-o", "json"]))!;

    /// <summary>Runs a command in the swarm's home, which must succeed; returns what it printed.</summary>
    public async Task<string> RunAsync(params string[] arguments)
    {
        await using ChildProgram run = ChildProgram.StartDrap(null, ["--home", Home, .. arguments]);
        run.Input.Close();
        string output = await run.Output.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(ChildProgram.Patience, TestContext.Current.CancellationToken);
        int code = await run.EndAsync();
        Assert.True(code == 0, $"drap {string.Join(' ', arguments)} ended with {code}: {await run.Errors}{output}");
        return output;
    }

    /// <summary>Runs a command in the home and on the machine, which must not succeed; returns its exit code and what it complained of.</summary>
    public static async Task<(int Code, string Errors)> FailAsync(string? network, string home, params string[] arguments)
    {
        await using ChildProgram run = ChildProgram.StartDrap(network, [.. arguments, "--home", home]);
        run.Input.Close();
        int code = await run.EndAsync();
        Assert.NotEqual(0, code);
        return (code, await run.Errors);
    }

    public async ValueTask DisposeAsync()
    {
        await using (ChildProgram stop = ChildProgram.StartDrap(null, "stop", "--home", Home))
            await stop.EndAsync();
        int code = await dev.EndAsync();
        string said = await dev.Errors;
        await dev.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
        Assert.True(code == 0, $"drap dev ended with {code}: {said}");
    }

    private static string Write(string folder, string name, string text)
    {
        string path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, text);
        return path;
    }
}
