using Drap.Node.Home;

namespace Drap.Tests;

/// <summary>A folder of the test's own, removed after it.</summary>
internal sealed class TemporaryHome : IDisposable
{
    public TemporaryHome(string? name = null)
    {
        Root = Directory.CreateTempSubdirectory("drap-test-").FullName;
        Folder = HomeFolder.At(Path.Combine(Root, name ?? "home"));
    }

    /// <summary>The parent, for files beside the home.</summary>
    public string Root { get; }

    public HomeFolder Folder { get; }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
