using System.Security.Cryptography;
using System.Text;
using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>
/// Whose a store's blobs are, where it has those of several principals: who has brought which here, blob by blob, and what is public. Kept in a log of
/// CIDs for each of them, without a sync: what a crash loses is brought again. Thread-safe.
/// </summary>
/// <remarks>
/// Whoever has brought a blob had its bytes, so that telling him that it is here, or giving it back, tells nothing new. That somebody merely names a blob
/// that another has brought is no such proof (see <see cref="BlobExchange"/>).
/// </remarks>
internal sealed class BlobOwners : IDisposable
{
    /// <summary>Principals of which a store keeps account: each is an open file. Those beyond it own what they bring until the store is closed.</summary>
    private const int KeptMax = 1000;

    private const string PublicName = "public";

    private readonly Lock gate = new();
    private readonly Dictionary<string, Account> accounts = new(StringComparer.Ordinal);
    private readonly string folder;

    public BlobOwners(string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder);
        foreach (string path in Directory.EnumerateFiles(folder))
            accounts[Path.GetFileName(path)] = Account.Load(path);
    }

    /// <summary>Whether the principal has brought the blob here.</summary>
    public bool Has(Principal owner, Cid cid)
    {
        lock (gate)
            return accounts.TryGetValue(NameOf(owner), out Account? account) && account.Cids.Contains(cid);
    }

    /// <summary>Whose a blob is, as far as one reader is concerned, and whether it is public.</summary>
    public BlobOwnership Of(Cid cid, Principal? reader) =>
        new(reader is { } who && Has(who, cid) ? [who] : [], IsPublic(cid));

    /// <summary>Whether everybody may read it.</summary>
    public bool IsPublic(Cid cid)
    {
        lock (gate)
            return accounts.TryGetValue(PublicName, out Account? all) && all.Cids.Contains(cid);
    }

    /// <summary>The principal has brought these.</summary>
    public void Add(Principal owner, IEnumerable<Cid> cids) => Add(NameOf(owner), cids);

    /// <summary>Everybody may read these from now on.</summary>
    public void Publish(IEnumerable<Cid> cids) => Add(PublicName, cids);

    /// <summary>Nobody but their owners may read these any more.</summary>
    public void Withdraw(IEnumerable<Cid> cids)
    {
        lock (gate)
        {
            if (!accounts.TryGetValue(PublicName, out Account? all))
                return;
            foreach (Cid cid in cids)
                all.Cids.Remove(cid);
            all.Rewrite();
        }
    }

    /// <summary>Forgets what is not here any more.</summary>
    public void Tidy(Func<Cid, bool> isHere)
    {
        lock (gate)
            foreach (Account account in accounts.Values)
                if (account.Cids.RemoveWhere(cid => !isHere(cid)) > 0)
                    account.Rewrite();
    }

    public void Dispose()
    {
        foreach (Account account in accounts.Values)
            account.Dispose();
    }

    private void Add(string name, IEnumerable<Cid> cids)
    {
        lock (gate)
        {
            if (!accounts.TryGetValue(name, out Account? account))
                accounts[name] = account = accounts.Count < KeptMax ? Account.Load(Path.Combine(folder, name)) : new Account(null);
            account.Add(cids);
        }
    }

    // A principal's name may have any characters, and up to 256 bytes.
    private static string NameOf(Principal owner) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(owner.Name)));

    /// <summary>What one principal has brought.</summary>
    private sealed class Account(string? path) : IDisposable
    {
        private SafeFileHandle? log;

        public HashSet<Cid> Cids { get; } = [];

        public static Account Load(string path)
        {
            byte[] bytes = File.Exists(path) ? File.ReadAllBytes(path) : [];
            var account = new Account(path) { log = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read) };
            // What a crash left unwritten reads as zeros, which name nothing; a torn end is written over.
            for (int at = 0; at + Cid.BytesLength <= bytes.Length; at += Cid.BytesLength)
                if (Cid.TryFromBytes(bytes.AsSpan(at, Cid.BytesLength), out Cid cid))
                    account.Cids.Add(cid);
            account.length = bytes.Length / Cid.BytesLength * Cid.BytesLength;
            return account;
        }

        private long length;

        public void Add(IEnumerable<Cid> cids)
        {
            byte[] fresh = [.. cids.Where(Cids.Add).SelectMany(c => c.ToBytes())];
            if (fresh.Length == 0 || log is null)
                return;
            try
            {
                FileCalls.Write(log, fresh, length, path!);
                length += fresh.Length;
            }
            catch (Exception e) when (e is IOException or BlobStoreFullException)
            {
                // A full disk: known as long as the store is open, and brought again after that.
            }
        }

        public void Rewrite()
        {
            if (log is null)
                return;
            RandomAccess.SetLength(log, 0);
            length = 0;
            byte[] all = [.. Cids.SelectMany(c => c.ToBytes())];
            FileCalls.Write(log, all, 0, path!);
            length = all.Length;
        }

        public void Dispose() => log?.Dispose();
    }
}
