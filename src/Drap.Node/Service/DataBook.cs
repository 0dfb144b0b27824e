using System.Text;
using Drap.Api;
using Drap.Node.Storage;

namespace Drap.Node.Service;

/// <summary>What the user calls what he keeps: a small file of lines, a CID and its name, in the order in which they were kept. Thread-safe.</summary>
internal sealed class DataBook
{
    /// <summary>Names, at some 300 bytes each: the file is written anew with each.</summary>
    private const int NamesMax = 10_000;

    private readonly string path;
    private readonly Lock gate = new();
    private readonly List<(Cid Cid, string Name)> names = [];

    /// <summary>Reads it; lines that are none are passed over.</summary>
    public DataBook(string path)
    {
        this.path = path;
        if (!File.Exists(path))
            return;
        foreach (string line in File.ReadAllLines(path))
            if (line.Split(' ', 2) is [string text, string name] && Cid.TryParse(text, out Cid cid))
                names.Add((cid, name));
    }

    /// <summary>The name; null where there is none.</summary>
    public string? NameOf(Cid cid)
    {
        lock (gate)
            return names.Find(n => n.Cid == cid).Name;
    }

    /// <summary>A number that is lower for what was named before; what has no name comes last.</summary>
    public int PlaceOf(Cid cid)
    {
        lock (gate)
            return names.FindIndex(n => n.Cid == cid) is var at and >= 0 ? at : int.MaxValue;
    }

    /// <summary>Gives a name; null leaves what it has.</summary>
    public void Name(Cid cid, string? name)
    {
        lock (gate)
        {
            int at = names.FindIndex(n => n.Cid == cid);
            if (name is null || (at >= 0 && names[at].Name == name))
                return;
            if (at >= 0)
                names[at] = (cid, name);
            else if (names.Count == NamesMax)
                throw new ApiException(ErrorCodes.Busy, $"{NamesMax} things have names, which is the most", null, "drap data pin CID --remove");
            else
                names.Add((cid, name));
            Write();
        }
    }

    /// <summary>It has no name any more.</summary>
    public void Forget(Cid cid)
    {
        lock (gate)
            if (names.RemoveAll(n => n.Cid == cid) > 0)
                Write();
    }

    private void Write() => DurableFile.Write(path, Encoding.UTF8.GetBytes(string.Concat(names.Select(n => $"{n.Cid} {n.Name}\n"))));
}
