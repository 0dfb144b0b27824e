namespace Drap;

/// <summary>Where the repository is, from the tests' own folder upwards.</summary>
internal static class Repository
{
    private static readonly string root = Find();

    public static string Path(params ReadOnlySpan<string> relative) => System.IO.Path.Combine([root, .. relative]);

    private static string Find()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder, "Drap.slnx")))
            folder = System.IO.Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("the tests do not run inside the repository");
    }
}
