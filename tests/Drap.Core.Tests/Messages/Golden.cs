using Xunit;

namespace Drap.Core.Tests.Messages;

/// <summary>Files that are committed and made by a test: with <c>DRAP_RECORD=1</c> written, else compared.</summary>
internal static class Golden
{
    public static string Root { get; } = FindRoot();

    public static void AssertSame(string path, string content)
    {
        string file = Path.Combine(Root, path);
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, content);
        }
        Assert.True(File.Exists(file), $"{path} is not there: run the tests with DRAP_RECORD=1 and commit it");
        Assert.True(File.ReadAllText(file) == content,
            $"{path} is not what the code says: if the change is meant, run the tests with DRAP_RECORD=1 and commit the file");
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Drap.slnx")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("the tests do not run inside the repository");
    }
}
