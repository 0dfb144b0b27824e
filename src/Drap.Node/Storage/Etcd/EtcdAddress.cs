using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Journal;

namespace Drap.Node.Storage.Etcd;

/// <summary>Where a journal is kept in etcd: <c>etcd://HOST[:PORT][,HOST[:PORT]…]/NAME</c>.</summary>
/// <param name="Members">The members' client addresses, in the order of the text; any of them serves. At most <see cref="MembersMax"/>.</param>
/// <param name="Name">Tells the journals of one cluster apart: letters, digits, <c>-</c>, <c>_</c> and <c>.</c>; at most 64.</param>
public sealed record EtcdAddress(ImmutableArray<Uri> Members, string Name)
{
    /// <summary>More members than any cluster should have (etcd advises at most seven).</summary>
    public const int MembersMax = 9;

    /// <summary>What is allowed, in words.</summary>
    public const string Form = "etcd://HOST[:PORT][,HOST[:PORT]...]/NAME, as etcd://10.0.0.1,10.0.0.2,10.0.0.3/lab (etcds:// over TLS); the port is 2379 if none is given";

    private const int NameMax = 64;

    /// <summary>Where the journal's keys begin.</summary>
    public string Prefix => $"drap/{Name}/";

    /// <summary>Reads an address; <paramref name="error"/> says what is wrong with it.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out EtcdAddress? address, out string error)
    {
        address = null;
        string scheme = text.StartsWith("etcds://", StringComparison.Ordinal) ? "https" : "http";
        if (scheme == "http" && !text.StartsWith("etcd://", StringComparison.Ordinal))
            return Fail($"'{text}' is no address of etcd", out error);
        string rest = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..];
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string name = slash < 0 ? "" : rest[(slash + 1)..];
        if (name.Length is 0 or > NameMax || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            return Fail($"'{text}' ends in no name of a journal (letters, digits, '-', '_' and '.', at most {NameMax})", out error);
        var members = ImmutableArray.CreateBuilder<Uri>();
        foreach (string member in rest[..slash].Split(','))
        {
            if (member.Contains('@', StringComparison.Ordinal) || !Uri.TryCreate($"{scheme}://{member}", UriKind.Absolute, out Uri? uri) || uri.Host.Length == 0 || uri.AbsolutePath != "/")
                return Fail($"'{member}' is no host with a port", out error);
            members.Add(HasPort(member) ? uri : new UriBuilder(uri) { Port = 2379 }.Uri);
        }
        if (members.Count > MembersMax)
            return Fail($"'{text}' names {members.Count} members; at most {MembersMax}", out error);
        address = new EtcdAddress(members.ToImmutable(), name);
        error = "";
        return true;
    }

    /// <summary>The address in a file; null if there is no such file.</summary>
    /// <exception cref="JournalStorageException">The file holds something else, or cannot be read.</exception>
    public static EtcdAddress? Read(string file)
    {
        try
        {
            return !File.Exists(file) ? null : TryParse(File.ReadAllText(file).Trim(), out EtcdAddress? address, out string error)
                ? address
                : throw new JournalStorageException(JournalStorageFault.Failed, file, $"{file}: {error}; allowed: {Form}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JournalStorageException(JournalStorageFault.Failed, file, $"cannot read {file}: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{(Members[0].Scheme == "https" ? "etcds" : "etcd")}://{string.Join(',', Members.Select(m => m.Authority))}/{Name}";

    // A host in brackets has colons of its own.
    private static bool HasPort(string member) => member.LastIndexOf(':') > member.LastIndexOf(']');

    private static bool Fail(string what, out string error)
    {
        error = what;
        return false;
    }
}
