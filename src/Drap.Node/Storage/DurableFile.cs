namespace Drap.Node.Storage;

/// <summary>Small files that are there whole or not at all.</summary>
internal static class DurableFile
{
    /// <summary>Replaces the file: written beside it, synced, renamed, and the folder synced.</summary>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        string fresh = path + ".new";
        using (var stream = new FileStream(fresh, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
        {
            stream.Write(bytes);
            stream.Flush(flushToDisk: true);
        }
        File.Move(fresh, path, overwrite: true);
        using FileJournalStorage folder = FileJournalStorage.OpenDirectory(Path.GetDirectoryName(path)!);
        folder.SyncDirectory();
    }
}
