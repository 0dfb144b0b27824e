namespace Drap.Core.Cbor;

/// <summary>What all records that travel have around their fields: the array [version, kind, body], the body a map. [MSG-1]</summary>
internal static class RecordFrame
{
    /// <summary>Writes version and kind, and opens the body; what it returns closes it with <see cref="FieldWriter.CloseMap"/>.</summary>
    public static (int, int) Open(ref FieldWriter writer, int version, int kind)
    {
        writer.WriteArray(3);
        writer.WriteInt(version);
        writer.WriteInt(kind);
        return writer.OpenMap();
    }

    /// <summary>Reads version and kind, and opens the body; false, with why, where they are not this version's, or the frame is too long.</summary>
    /// <param name="reader">At the frame's begin.</param>
    /// <param name="length">The frame's bytes.</param>
    /// <param name="lengthMax">The most that a frame may have.</param>
    /// <param name="version">The one version that is read.</param>
    /// <param name="kinds">Kinds are numbered from 1 to this.</param>
    /// <param name="kind">The kind.</param>
    /// <param name="body">For <see cref="TryClose"/>.</param>
    /// <param name="error">Why not.</param>
    public static bool TryOpen(ref FieldReader reader, int length, int lengthMax, int version, int kinds, out int kind, out (int, int) body, out CodecError error)
    {
        (kind, body) = (0, default);
        if (length > lengthMax)
        {
            error = new CodecError(CodecFault.TooLong, "", lengthMax, 0, lengthMax);
            return false;
        }
        reader.ReadArray(3);
        long found = reader.ReadInt("version", 0, int.MaxValue);
        kind = (int)reader.ReadInt("kind", 0, int.MaxValue);
        error = reader.Failed ? reader.Error
            : found != version ? new CodecError(CodecFault.UnknownVersion, "version", 1, version, version)
            : kind < 1 || kind > kinds ? new CodecError(CodecFault.UnknownKind, "kind", 2)
            : default;
        if (error.Fault != CodecFault.None)
            return false;
        body = reader.OpenMap("body");
        return true;
    }

    /// <summary>After the fields: whether all was read, and nothing is left.</summary>
    public static bool TryClose(ref FieldReader reader, (int, int) body, out CodecError error)
    {
        reader.CloseMap(body);
        reader.ReadEnd();
        error = reader.Error;
        return !reader.Failed;
    }
}
