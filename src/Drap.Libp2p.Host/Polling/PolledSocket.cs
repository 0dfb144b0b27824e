using System.Runtime.InteropServices;

namespace Drap.Libp2p.Host.Polling;

/// <summary>A socket that is waited for, for reading and for writing.</summary>
internal sealed class PolledSocket(SafeHandle handle)
{
    public SafeHandle Handle => handle;

    /// <summary>Its name at the poller.</summary>
    public long Id { get; set; }

    public Readiness Reading { get; } = new();

    public Readiness Writing { get; } = new();
}
