using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>One pack file. Its fields belong to the <see cref="PackShelf"/>, which changes them under its gate.</summary>
internal sealed class Pack(int number, string path, SafeFileHandle handle) : IDisposable
{
    public int Number { get; } = number;

    public string Path { get; } = path;

    public SafeFileHandle Handle { get; } = handle;

    public long Length { get; set; }

    /// <summary>Bytes up to which the file was synced.</summary>
    public long Synced { get; set; }

    public long DeadBytes { get; set; }

    /// <summary>A sync failed: the kernel may have dropped what it could not write, so nothing here is promised to be durable any more.</summary>
    public bool IsBroken { get; set; }

    public Lock SyncGate { get; } = new();

    public void Dispose() => Handle.Dispose();
}
