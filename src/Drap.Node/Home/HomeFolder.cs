namespace Drap.Node.Home;

/// <summary>A state folder and the names in it that this room owns; the rest of the folder belongs to the engine.</summary>
public sealed class HomeFolder
{
    private HomeFolder(string path) => Path = path;

    /// <summary>The folder, absolute, symbolic links resolved as far as it exists.</summary>
    public string Path { get; }

    /// <summary>Held with flock by the one process of the home; holds its pid as text.</summary>
    public string LockFile => System.IO.Path.Combine(Path, "lock");

    /// <summary>What machine, device and inode the folder was made on.</summary>
    public string IdentityFile => System.IO.Path.Combine(Path, "home.json");

    /// <summary>Where to find the socket when the folder's own path is too long for one.</summary>
    public string SocketPathFile => System.IO.Path.Combine(Path, "socket");

    /// <summary>The key with which secrets are sealed before they are journaled.</summary>
    public string SecretKeyFile => System.IO.Path.Combine(Path, "secret.key");

    /// <summary>The key with which another scheduler seals, which lent it to this node.</summary>
    public string LentSecretKeyFile(PeerId scheduler) => System.IO.Path.Combine(Path, $"secret-{scheduler}.key");

    /// <summary>
    /// The folder meant by <paramref name="path"/>, or when that is null by <c>DRAP_HOME</c>, else <c>$XDG_DATA_HOME/drap</c>, else
    /// <c>~/.local/share/drap</c>. Nothing is made.
    /// </summary>
    /// <exception cref="HomeException">No variable and no home directory to go by.</exception>
    public static HomeFolder At(string? path = null)
    {
        path = NotEmpty(path) ?? NotEmpty(Environment.GetEnvironmentVariable("DRAP_HOME")) ?? Default();
        return new HomeFolder(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path)));
    }

    /// <summary>Whether a node was ever started there.</summary>
    public bool Exists => File.Exists(IdentityFile);

    /// <summary>Makes the folder, readable by its owner alone, where it is not there yet.</summary>
    public void Create()
    {
        try
        {
            if (!Directory.Exists(Path))
                Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HomeException(HomeProblem.NotUsable, $"{Path} cannot be made the state folder: {e.Message}", "set DRAP_HOME to a folder that you may write");
        }
    }

    /// <summary>The path.</summary>
    public override string ToString() => Path;

    private static string Default()
    {
        if (NotEmpty(Environment.GetEnvironmentVariable("XDG_DATA_HOME")) is { } data && System.IO.Path.IsPathRooted(data))
            return System.IO.Path.Combine(data, "drap");
        if (NotEmpty(Environment.GetEnvironmentVariable("HOME")) is { } home)
            return System.IO.Path.Combine(home, ".local", "share", "drap");
        throw new HomeException(HomeProblem.NotUsable, "there is no folder to keep state in: DRAP_HOME, XDG_DATA_HOME and HOME are all unset", "set DRAP_HOME");
    }

    private static string? NotEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
