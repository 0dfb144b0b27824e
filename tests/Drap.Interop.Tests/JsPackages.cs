using System.Diagnostics;
using System.Reflection;
using System.Security.Cryptography;
using Drap.Tests.Interop;
using Xunit;

[assembly: AssemblyFixture(typeof(JsPackages))]

namespace Drap.Tests.Interop;

/// <summary>
/// The packages that the js programs in tests/interop need, installed once from the lock file there. Where they cannot be had, the tests that
/// need them say what is missing and are skipped.
/// </summary>
public sealed class JsPackages : IAsyncLifetime
{
    /// <summary>Node 20 is the oldest on which js-libp2p 3 was seen to run.</summary>
    private const int NodeVersionMin = 20;

    /// <summary>Far more than the installation of 300 small packages takes.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    private string? missing;

    /// <summary>The folder of the js programs.</summary>
    public static string Folder { get; } =
        typeof(JsPackages).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "JsFolder").Value!;

    /// <summary>Skips the test unless the packages are there.</summary>
    public void Require()
    {
        if (missing is not null)
            Assert.Skip(missing);
    }

    public async ValueTask InitializeAsync()
    {
        (int code, string version) = await RunAsync("node", "--version");
        if (code != 0 || !int.TryParse(version.TrimStart('v').Split('.')[0], out int major) || major < NodeVersionMin)
        {
            missing = $"there is no node of version {NodeVersionMin} or later on the PATH{(code == 0 ? $", but {version.Trim()}" : "")}";
            return;
        }
        // What was installed is as the lock file says if it was installed by it.
        string mark = Path.Combine(Folder, "node_modules", ".drap-installed");
        string wanted = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(Folder, "package-lock.json"))));
        if (File.Exists(mark) && await File.ReadAllTextAsync(mark) == wanted)
            return;
        (code, string said) = await RunAsync("npm", "ci", "--no-progress");
        if (code == 0)
            await File.WriteAllTextAsync(mark, wanted);
        else
            missing = $"npm could not install the packages of {Folder}: {said.Trim()}";
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static async Task<(int Code, string Said)> RunAsync(string program, params string[] args)
    {
        try
        {
            var start = new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Folder };
            using var process = Process.Start(start)!;
            using var late = new CancellationTokenSource(patience);
            using CancellationTokenRegistration ending = late.Token.Register(() => process.Kill(entireProcessTree: true));
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return (process.ExitCode, process.ExitCode == 0 ? output : output + await error);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (-1, e.Message);
        }
    }
}
