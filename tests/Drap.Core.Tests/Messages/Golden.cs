using Xunit;

namespace Drap.Core.Tests.Messages;

/// <summary>Files that are committed and made by a test: with <c>DRAP_RECORD=1</c> written, else compared.</summary>
internal static class Golden
{
    public static void AssertSame(string path, string content)
    {
        string file = Repository.Path(path);
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, content);
        }
        Assert.True(File.Exists(file), $"{path} is not there: run the tests with DRAP_RECORD=1 and commit it");
        Assert.True(File.ReadAllText(file) == content,
            $"{path} is not what the code says: if the change is meant, run the tests with DRAP_RECORD=1 and commit the file");
    }
}
