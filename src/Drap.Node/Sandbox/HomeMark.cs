using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>
/// A short name of one DRAP_HOME, by which a node finds its own processes, cgroups and folders again and nobody else's: a hash of the
/// folder's device and inode, so that a renamed home is the same and the same path in another container is not.
/// </summary>
/// <param name="Value">16 hex digits.</param>
public readonly record struct HomeMark(string Value)
{
    /// <summary>The variable that marks each process of each task: <c>DRAP_MARK=home-attempt</c>.</summary>
    public const string Variable = "DRAP_MARK";

    /// <summary>Stands for the attempt in the mark of a worker's guard, which is no task: <c>DRAP_MARK=home-guard</c>.</summary>
    public const string Guard = "guard";

    /// <summary>The mark of an existing folder. Throws <see cref="IOException"/> when it cannot be looked at.</summary>
    public static unsafe HomeMark Of(string home)
    {
        Libc.Statx stat;
        fixed (byte* path = Encoding.UTF8.GetBytes(home + "\0"))
            if (Libc.statx(Libc.AT_FDCWD, path, 0, 0x7ff, &stat) != 0)
                throw new IOException($"{home}: {Libc.ErrorText(Libc.LastError)}");
        string identity = string.Create(CultureInfo.InvariantCulture, $"drap home {stat.DeviceMajor}:{stat.DeviceMinor}:{stat.Inode}");
        return new HomeMark(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity)).AsSpan(0, 8)));
    }

    /// <summary>The hexadecimal digits.</summary>
    public override string ToString() => Value;
}
