using System.Collections.Immutable;

namespace Drap.Node.Sandbox;

/// <summary>
/// What of the machine a task in a sandbox sees, all of it read-only: programs and libraries, and the few files under /etc that those
/// want. Named one by one, so that what an owner keeps elsewhere (homes, mounts, other tasks' folders) is not there at all.
/// </summary>
internal sealed class SandboxView
{
    private static readonly ImmutableArray<string> Systems =
        ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store"];

    private static readonly ImmutableArray<string> Settings =
    [
        "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "locale.alias", "locale.conf", "nsswitch.conf",
        "protocols", "services", "mime.types", "magic", "terminfo", "fonts", "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust/extracted",
        "ca-certificates", "ca-certificates.conf", "crypto-policies", "java", "perl", "python3", "R", "OpenCL", "vulkan",
    ];

    private static readonly ImmutableArray<string> Devices = ["/sys/devices/system/cpu", "/sys/devices/system/node"];

    /// <summary>What the C library wants to know of users and hosts.</summary>
    private static readonly ImmutableArray<(string Name, string Text)> Made =
    [
        ("passwd", $"root:x:0:0:root:/:/bin/sh\n{Bubblewrap.UserName}:x:{Bubblewrap.UserId}:{Bubblewrap.UserId}::/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        ("group", $"root:x:0:\n{Bubblewrap.UserName}:x:{Bubblewrap.UserId}:\nnogroup:x:65534:\n"),
        ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ];

    private readonly ImmutableArray<string> shown;

    /// <param name="home">The DRAP_HOME, for the files that are made; existing.</param>
    /// <param name="readOnly">Files and folders that the owner shows besides.</param>
    /// <exception cref="IOException">The files cannot be made.</exception>
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
        foreach (string path in Settings.Select(name => "/etc/" + name).Concat(Devices).Where(Path.Exists))
        {
            arguments.AddRange("--ro-bind", path, path);
            seen.Add(path);
        }
        string made = Directory.CreateDirectory(Path.Combine(Path.GetFullPath(home), "sandbox")).FullName;
        foreach ((string name, string text) in Made)
        {
            string file = Path.Combine(made, name);
            File.WriteAllText(file, text);
            arguments.AddRange("--ro-bind", file, "/etc/" + name);
        }
        arguments.AddRange(
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
}
