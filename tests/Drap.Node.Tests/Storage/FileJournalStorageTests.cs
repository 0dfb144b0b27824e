using Drap.Core.Journal;
using Drap.Node.Storage;
using Xunit;

namespace Drap.Node.Tests.Storage;

public sealed class FileJournalStorageTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_journal_on_real_files_comes_back()
    {
        string directory = Path.Combine(folder.Path, "a folder", "with ünïcode");
        using (FileJournalStorage storage = FileJournalStorage.OpenDirectory(directory))
        using (JournalLog log = JournalLog.Open(storage, new JournalOptions(1), new Collected()))
        {
            JournalBuffer buffer = log.CreateBuffer();
            buffer.Append(3, 1, "one"u8);
            buffer.Append(3, 1, "two"u8);
            Assert.Equal(2, log.Write(buffer.TakeBatch()!));
            JournalSnapshot snapshot = buffer.BeginSnapshot();
            snapshot.Add(4, 1, "state"u8);
            buffer.EndSnapshot(snapshot);
            snapshot.WriteTo(storage);
            log.Install(snapshot);
            buffer.Append(3, 1, "three"u8);
            log.Write(buffer.TakeBatch()!);
        }
        using FileJournalStorage again = FileJournalStorage.OpenDirectory(directory);
        var collected = new Collected();
        using JournalLog reopened = JournalLog.Open(again, new JournalOptions(2), collected);
        Assert.Equal(["s2 state", "3 three"], collected.Lines);
        Assert.Equal(
            ["0000000000000000002.snap", "0000000000000000003.log"],
            again.List().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Files_are_for_their_owner_only()
    {
        using FileJournalStorage storage = FileJournalStorage.OpenDirectory(folder.Path);
        storage.Create("file").Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(folder.Path, "file")));
    }

    [Fact]
    public void Reading_goes_to_the_end_and_no_further()
    {
        using FileJournalStorage storage = FileJournalStorage.OpenDirectory(folder.Path);
        using IJournalFile file = storage.Create("file");
        file.Write(2, "abc"u8);
        file.Sync();
        byte[] buffer = new byte[10];
        Assert.Equal(5, file.Length);
        Assert.Equal(4, file.Read(1, buffer));
        Assert.Equal("\0abc"u8, buffer.AsSpan(0, 4));
        Assert.Equal(0, file.Read(5, buffer));
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        using FileJournalStorage storage = FileJournalStorage.OpenDirectory(folder.Path);
        var error = Assert.Throws<JournalStorageException>(() => storage.Open("gone"));
        Assert.Equal(JournalStorageFault.Missing, error.Fault);
        Assert.Equal(Path.Combine(folder.Path, "gone"), error.Path);
        Assert.Equal($"cannot open {error.Path}: No such file or directory", error.Message);
    }

    [Fact]
    public void A_full_device_is_named()
    {
        // /dev/full answers every write with ENOSPC.
        File.CreateSymbolicLink(Path.Combine(folder.Path, "full"), "/dev/full");
        using FileJournalStorage storage = FileJournalStorage.OpenDirectory(folder.Path);
        using IJournalFile file = storage.Open("full");
        var error = Assert.Throws<JournalStorageException>(() => file.Write(0, "abc"u8));
        Assert.Equal(JournalStorageFault.DiskFull, error.Fault);
        Assert.Equal($"cannot write {folder.Path}/full: No space left on device", error.Message);
    }

    [Fact]
    public void A_read_only_file_system_is_named()
    {
        using FileJournalStorage storage = FileJournalStorage.OpenDirectory("/proc/self");
        Assert.Equal(
            JournalStorageFault.Missing,
            Assert.Throws<JournalStorageException>(() => storage.Create("file")).Fault);
        var error = Assert.Throws<JournalStorageException>(() => FileJournalStorage.OpenDirectory("/proc/self/journal"));
        Assert.Equal("/proc/self/journal", error.Path);
    }

    [Fact]
    public void A_file_in_the_directorys_place_is_named()
    {
        string path = Path.Combine(folder.Path, "file");
        File.WriteAllText(path, "");
        var error = Assert.Throws<JournalStorageException>(() => FileJournalStorage.OpenDirectory(path));
        Assert.Equal(path, error.Path);
    }

    [Theory]
    [InlineData(0x6969, "NFS")]
    [InlineData(0xff534d42, "CIFS")]
    [InlineData(unchecked((long)0xffffffffff534d42), "CIFS")]
    [InlineData(0x65735546, "FUSE")]
    [InlineData(0xef53, null)]
    [InlineData(0x58465342, null)]
    [InlineData(0x01021994, null)]
    [InlineData(0x794c7630, null)]
    [InlineData(0x2fc12fc1, null)]
    public void Network_file_systems_are_known_by_their_number(long type, string? name) => Assert.Equal(name, NetworkFileSystems.Name(type));

    private sealed class Collected : IJournalReplay
    {
        public List<string> Lines { get; } = [];

        public void Snapshot(long sequence, in JournalRecord record) => Lines.Add($"s{sequence} {Text(record)}");

        public void Record(long sequence, in JournalRecord record) => Lines.Add($"{sequence} {Text(record)}");

        private static string Text(JournalRecord record) => System.Text.Encoding.UTF8.GetString(record.Body.Span);
    }
}
