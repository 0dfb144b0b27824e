using System.Globalization;

namespace Drap.Node.Storage.Etcd;

/// <summary>A part of a file as it was written.</summary>
internal readonly record struct EtcdPiece(long Offset, int Length) : IComparable<EtcdPiece>
{
    public long End => Offset + Length;

    public static EtcdPiece Parse(string key)
    {
        string[] parts = key.Split('.');
        return new EtcdPiece(long.Parse(parts[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture), int.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }

    // Pieces do not overlap, so the beginning says it all.
    public int CompareTo(EtcdPiece other) => Offset.CompareTo(other.Offset);

    public string Key => string.Create(CultureInfo.InvariantCulture, $"{Offset:x10}.{Length:x6}");
}
