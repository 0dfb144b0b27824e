using System.Collections.Immutable;

namespace Drap.Node.Sandbox;

/// <summary>
/// What of the machine a task in a sandbox sees, all of it read-only: programs and libraries, and the few files under /etc that those
/// want. Named one by one, so that what an owner keeps elsewhere (homes, mounts, other tasks' folders) is not there at all.
/// </summary>
internal sealed class SandboxView
{
    /// <summary>Bytes of a file under /etc that is shown; none of those that programs want is near it.</summary>
    private const long SettingBytesMax = 4 << 20;

    /// <summary>Entries under /etc that are shown; a machine with every language installed has a quarter of that.</summary>
    private const int SettingsMax = 8_192;

    private static readonly ImmutableArray<string> Systems =
        ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store", "/sys/devices/system"];

    private static readonly ImmutableArray<string> Settings =
    [
        "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "locale.alias", "locale.conf", "nsswitch.conf",
        "protocols", "services", "mime.types", "magic", "terminfo", "fonts", "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust/extracted",
        "ca-certificates", "ca-certificates.conf", "crypto-policies", "java", "perl", "python3", "R", "OpenCL", "vulkan",
    ];

    /// <summary>What the C library wants to know of users and hosts.</summary>
    private static readonly ImmutableArray<(string Name, string Text)> Made =
    [
        ("passwd", $"root:x:0:0:root:/:/bin/sh\n{Bubblewrap.UserName}:x:{Bubblewrap.UserId}:{Bubblewrap.UserId}::/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        ("group", $"root:x:0:\n{Bubblewrap.UserName}:x:{Bubblewrap.UserId}:\nnogroup:x:65534:\n"),
        ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("resolv.conf", ""),
    ];

    private readonly ImmutableArray<string> shown;

    /// <param name="home">The DRAP_HOME, for the folder that stands for /etc; existing.</param>
    /// <param name="readOnly">Files and folders that the owner shows besides.</param>
    /// <exception cref="IOException">That folder cannot be made.</exception>
    public SandboxView(string home, ImmutableArray<string> readOnly)
    {
        var arguments = ImmutableArray.CreateBuilder<string>();
        var seen = ImmutableArray.CreateBuilder<string>();
        foreach (string path in Systems)
        {
            if (new DirectoryInfo(path).LinkTarget is { } target)
                arguments.AddRange("--symlink", target, path);
            else if (Directory.Exists(path))
                arguments.AddRange("--ro-bind", path, path);
            else
                continue;
            seen.Add(path);
        }
        arguments.AddRange(
            "--ro-bind", MakeSettings(Path.Combine(Path.GetFullPath(home), "sandbox")), "/etc",
            // Where the node is root, its tasks are as much in the eyes of the kernel's switches: they are shown, and cannot be set.
            "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev",
            "--dir", "/tmp", "--dir", "/run", "--dir", "/var", "--symlink", "../run", "/var/run", "--symlink", "../tmp", "/var/tmp");
        Arguments = arguments.ToImmutable();
        ImmutableArray<string> owners = [.. readOnly.Where(Path.Exists)];
        Owners = [.. owners.SelectMany(path => new[] { "--ro-bind", path, path })];
        shown = [.. seen, .. owners];
        Resolver = File.Exists("/etc/resolv.conf") ? ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"] : [];
    }

    /// <summary>For bubblewrap: the mounts that every task has.</summary>
    public ImmutableArray<string> Arguments { get; }

    /// <summary>For bubblewrap: what the owner shows, to come after the task's own <c>/tmp</c>, below which it may lie.</summary>
    public ImmutableArray<string> Owners { get; }

    /// <summary>For bubblewrap: what a task with the machine's network has besides.</summary>
    public ImmutableArray<string> Resolver { get; }

    /// <summary>Whether a task sees this absolute path of the machine's.</summary>
    public bool Shows(string path) => shown.Any(root => IsBelow(path, root));

    private static bool IsBelow(string path, string root) =>
        path.StartsWith(root, StringComparison.Ordinal) && (path.Length == root.Length || path[root.Length] == '/');

    /// <summary>
    /// Makes the folder that stands for /etc: copies, since each mount of its own would cost a task a quarter of a millisecond, of what
    /// everybody may read, as of now. What cannot be read is passed over.
    /// </summary>
    private static string MakeSettings(string folder)
    {
        if (!FolderTree.Remove(folder, out string? error))
            throw new IOException(error);
        Directory.CreateDirectory(folder);
        int left = SettingsMax;
        foreach (string name in Settings)
            Copy("/etc/" + name, Path.Combine(folder, name), ref left);
        foreach ((string name, string text) in Made)
            File.WriteAllText(Path.Combine(folder, name), text);
        return folder;
    }

    private static void Copy(string from, string to, ref int left)
    {
        var entry = new FileInfo(from);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            if (entry.LinkTarget is { } target)
            {
                File.CreateSymbolicLink(to, target);
                left--;
            }
            else if (entry.Exists && entry.Length <= SettingBytesMax && (entry.UnixFileMode & UnixFileMode.OtherRead) != 0)
            {
                File.Copy(from, to);
                left--;
            }
            else if (Directory.Exists(from))
            {
                foreach (string below in Directory.EnumerateFileSystemEntries(from))
                    if (left > 0)
                        Copy(below, Path.Combine(to, Path.GetFileName(below)), ref left);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It went away, or is not for us to read: then tasks do without.
        }
    }
}
