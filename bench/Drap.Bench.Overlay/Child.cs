using System.Diagnostics;
using System.Text.Json;

namespace Drap.Bench.Overlay;

/// <summary>A program that is talked to by lines.</summary>
internal sealed class Child : IDisposable
{
    private readonly Process process;

    public Child(string program, params string[] args)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (string arg in args)
            start.ArgumentList.Add(arg);
        process = Process.Start(start)!;
    }

    /// <summary>This program again.</summary>
    public static Child Self(params string[] args) => new(Environment.ProcessPath!, [typeof(Child).Assembly.Location, .. args]);

    public async Task<string> LineAsync() =>
        await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException($"{process.StartInfo.FileName} ended with nothing more to say");

    public async Task<JsonElement> JsonAsync() => JsonDocument.Parse(await LineAsync()).RootElement.Clone();

    public async Task<JsonElement> AskAsync(string line)
    {
        await process.StandardInput.WriteLineAsync(line);
        await process.StandardInput.FlushAsync();
        return await JsonAsync();
    }

    public void Dispose()
    {
        process.StandardInput.Close();
        if (!process.WaitForExit(TimeSpan.FromSeconds(20)))
            process.Kill(entireProcessTree: true);
        process.Dispose();
    }
}
