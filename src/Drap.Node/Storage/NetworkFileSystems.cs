namespace Drap.Node.Storage;

/// <summary>
/// File systems on which no journal may lie: another machine can write there too, or a sync reaches less far than it says. FUSE is among
/// them since nobody can tell what is behind it (sshfs and s3fs are).
/// </summary>
public static class NetworkFileSystems
{
    /// <summary>The name of a network file system by its magic number (statfs(2)); null for all others.</summary>
    public static string? Name(long type) => (uint)type switch
    {
        0x6969 => "NFS",
        0x517B => "SMB",
        0xFE534D42 => "SMB2",
        0xFF534D42 => "CIFS",
        0x65735546 => "FUSE",
        0x01021997 => "9P",
        0x00C36400 => "Ceph",
        0x0BD00BD0 => "Lustre",
        0x47504653 => "GPFS",
        0x01161970 => "GFS2",
        0x7461636F => "OCFS2",
        0x5346414F => "AFS",
        0x6B414653 => "AFS (kernel)",
        0x73757245 => "Coda",
        0x19830326 => "BeeGFS",
        _ => null,
    };
}
