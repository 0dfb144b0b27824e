using System.Text.Json.Nodes;

namespace Drap.Tests.Interop;

/// <summary>A worker on a machine of its own, in a folder of its own, as <c>drap dev</c> starts those beside it.</summary>
internal sealed class FarWorker : IAsyncDisposable
{
    private readonly string folder;
    private readonly ChildProgram program;

    private FarWorker(string folder, ChildProgram program, JsonNode said)
    {
        this.folder = folder;
        this.program = program;
        Addresses = [.. said["addresses"]!.AsArray().Select(a => a!.GetValue<string>())];
    }

    /// <summary>Where it listened when it had started.</summary>
    public string[] Addresses { get; }

    /// <summary>Starts one that has what the text of a workers' file says.</summary>
    public static async Task<FarWorker> StartAsync(string network, string name, string has, string overlay)
    {
        string folder = Directory.CreateTempSubdirectory("drap-far-").FullName, file = Path.Combine(folder, "workers.yaml");
        await File.WriteAllTextAsync(file, $"workers:\n  - {{name: {name}, {has}}}\n");
        ChildProgram program = ChildProgram.StartDrap(network, "serve", "--home", Path.Combine(folder, "home"), "--workers", file, "--worker", name, "--overlay", overlay);
        try
        {
            return new FarWorker(folder, program, JsonNode.Parse(await program.FirstLineAsync())!);
        }
        catch (Exception)
        {
            await program.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await program.Input.WriteLineAsync("stop");
        await program.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }
}
