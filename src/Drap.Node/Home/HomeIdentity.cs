using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Drap.Node.Home;

/// <summary>
/// Which machine, file system and inode a home was made on. Two nodes with one identity would spend the same leases and credits twice, so a copy
/// refuses to start until its owner says that it takes the original's place. Called by the holder of the home's lock only.
/// </summary>
public static partial class HomeIdentity
{
    /// <summary>
    /// Records the identity of a new home, or checks that of an old one. The device number alone may change with a boot: it is the same folder if
    /// the file system's own id is still the same.
    /// </summary>
    /// <param name="home">The folder; it exists.</param>
    /// <param name="adopt">Take a copied or moved folder as this machine's own; the original must not be started again.</param>
    /// <exception cref="HomeException"><see cref="HomeProblem.Copied"/>, <see cref="HomeProblem.NetworkFileSystem"/> or <see cref="HomeProblem.NotUsable"/>.</exception>
    public static void Check(HomeFolder home, bool adopt = false)
    {
        FileStat stat = FileStat.Of(home.Path);
        if (stat.NetworkName is { } network)
            throw new HomeException(
                HomeProblem.NetworkFileSystem, $"{home} lies on a network file system ({network}), where a journal is not safe",
                "set DRAP_HOME to a folder on a disk of this machine");
        var here = new Record
        {
            MachineId = MachineId(),
            Device = Hex(stat.Device),
            FileSystem = Hex(stat.FileSystem),
            Inode = stat.Inode,
        };
        Record? made = Read(home);
        if (made is not null && made.IsSameAs(here))
            return;
        if (made is not null && !adopt)
            throw new HomeException(
                HomeProblem.Copied, $"{home} is a copy, or was moved: {made.DifferenceFrom(here)}",
                "start the original; or, if it will never be started again, take this one in its place with `drap adopt`");
        Write(home, here);
    }

    private static Record? Read(HomeFolder home)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(home.IdentityFile), RecordJson.Default.Record);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new HomeException(
                HomeProblem.NotUsable, $"{home.IdentityFile} cannot be read: {e.Message}",
                "if the folder is this machine's own, remove that one file and start again");
        }
    }

    // Through a temporary name: a kill in the middle leaves the old file or the new one.
    private static void Write(HomeFolder home, Record record)
    {
        try
        {
            string part = home.IdentityFile + ".part";
            File.WriteAllBytes(part, JsonSerializer.SerializeToUtf8Bytes(record, RecordJson.Default.Record));
            File.Move(part, home.IdentityFile, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HomeException(HomeProblem.NotUsable, $"{home.IdentityFile} cannot be written: {e.Message}", "make room, or set DRAP_HOME to another folder");
        }
    }

    private static string MachineId()
    {
        foreach (string file in (ReadOnlySpan<string>)["/etc/machine-id", "/var/lib/dbus/machine-id"])
        {
            try
            {
                if (File.ReadAllText(file).Trim() is { Length: > 0 } id)
                    return id;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The next file may be there; without any, device and inode decide.
            }
        }
        return "";
    }

    private static string Hex(ulong value) => value.ToString("x", CultureInfo.InvariantCulture);

    internal sealed record Record
    {
        public int Version { get; init; } = 1;

        public string MachineId { get; init; } = "";

        public string Device { get; init; } = "";

        public string FileSystem { get; init; } = "";

        public ulong Inode { get; init; }

        // A file system id of 0 says nothing (some overlay and tmpfs mounts have it).
        public bool IsSameAs(Record other) =>
            MachineId == other.MachineId && Inode == other.Inode
            && (Device == other.Device || FileSystem == other.FileSystem && FileSystem != "0");

        public string DifferenceFrom(Record here) =>
            MachineId != here.MachineId ? "it was made on another machine"
            : Inode != here.Inode ? $"it was made as inode {Inode} and is inode {here.Inode} now"
            : "it was made on another file system";
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
    [JsonSerializable(typeof(Record))]
    internal sealed partial class RecordJson : JsonSerializerContext;
}
