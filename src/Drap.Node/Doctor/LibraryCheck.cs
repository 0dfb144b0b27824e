using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Drap.Libp2p.Keys;

namespace Drap.Node.Doctor;

/// <summary>The runtime and the libraries that the node's keys are made by.</summary>
internal static class LibraryCheck
{
    public static IEnumerable<Finding> Examine()
    {
        yield return Finding.Ok("dotnet", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.RuntimeIdentifier}");
        yield return OpenSsl();
        yield return NativeLibrary.TryLoad("libsodium.so.23", out nint _)
            ? Finding.Ok("libsodium", "signs and verifies")
            : Finding.Warn("libsodium", "it is not installed: OpenSSL signs and verifies, which takes 1.7 times as long", "apt install libsodium23, or its like");
        yield return Files(File.Exists("/proc/self/limits") ? File.ReadAllLines("/proc/self/limits") : []);
    }

    /// <summary>By the line <c>Max open files 1024 524288 files</c>; the runtime raises its own limit to the second number.</summary>
    internal static Finding Files(string[] limits)
    {
        const int least = 4096;
        string[] words = limits.FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal))?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        if (words.Length < 5)
            return Finding.Ok("files", "how many may be open at once is not known");
        return words[4] == "unlimited" || long.TryParse(words[4], NumberStyles.None, CultureInfo.InvariantCulture, out long most) && most >= least
            ? Finding.Ok("files", $"{words[4]} may be open at once")
            : Finding.Warn("files", $"only {words[4]} may be open at once: connections and tasks each need some", "ulimit -Hn 65536, or LimitNOFILE=65536 where systemd starts it");
    }

    private static Finding OpenSsl()
    {
        const string remedy = "apt install libssl3, or its like: OpenSSL 3";
        try
        {
            long number = SafeEvpPKeyHandle.OpenSslVersion;
            string version = string.Create(CultureInfo.InvariantCulture, $"OpenSSL {number >> 28}.{(number >> 20) & 0xff}.{(number >> 4) & 0xff}");
            using PrivateKey key = PrivateKey.FromSeed(new byte[PrivateKey.SeedBytes]);
            return key.PeerId == default ? Finding.Fail("openssl", $"{version} makes no Ed25519 keys", remedy) : Finding.Ok("openssl", $"{version} makes keys");
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or CryptographicException or PlatformNotSupportedException or TypeInitializationException)
        {
            return Finding.Fail("openssl", $"it cannot be used: {(e.InnerException ?? e).Message}", remedy);
        }
    }
}
