using Drap.Node.Blobs;

namespace Drap.Node.Tests.Blobs;

/// <summary>A store in a folder of its own, gone after the test.</summary>
public sealed class StoreFixture : IDisposable
{
    private BlobStore? store;

    public string Folder { get; } = Directory.CreateTempSubdirectory("drap-blobs-").FullName;

    public BlobStoreOptions Options { get; set; }

    public StoreFixture() => Options = new BlobStoreOptions { Folder = Path.Combine(Folder, "store") };

    public BlobStore Store => store ??= BlobStore.Open(Options);

    /// <summary>Closes the store and opens it again.</summary>
    public BlobStore Reopen()
    {
        Close();
        return Store;
    }

    public void Close()
    {
        store?.Dispose();
        store = null;
    }

    /// <summary>A path outside the store, whose parent exists.</summary>
    public string At(string name) => Path.Combine(Folder, name);

    public string Write(string name, byte[] bytes)
    {
        string path = At(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>The store's own file of a blob.</summary>
    public string FileOf(Cid cid) =>
        Directory.GetFiles(Path.Combine(Options.Folder, "files"), cid.ToString(), SearchOption.AllDirectories).Single();

    public static byte[] Bytes(ulong seed, int length)
    {
        var bytes = new byte[length];
        var prng = new Prng(seed);
        for (int i = 0; i < length; i += 8)
            BitConverter.GetBytes(prng.NextUInt64()).AsSpan(0, Math.Min(8, length - i)).CopyTo(bytes.AsSpan(i));
        return bytes;
    }

    public static byte[] ReadAll(BlobStore store, Cid cid)
    {
        using Stream stream = store.OpenRead(cid);
        var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    public void Dispose()
    {
        Close();
        Directory.Delete(Folder, recursive: true);
    }
}
