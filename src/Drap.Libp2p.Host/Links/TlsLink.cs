using System.Net.Security;

namespace Drap.Libp2p.Host.Links;

/// <summary>A link within TLS: what goes over it is sealed below.</summary>
internal sealed class TlsLink(SslStream tls, Link under) : Link
{
    public override ValueTask<int> WaitAsync() => tls.ReadAsync(Memory<byte>.Empty);

    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer) => tls.ReadAsync(buffer);

    public override ValueTask SendAsync(ReadOnlyMemory<byte> bytes) => tls.WriteAsync(bytes);

    // The link's end ends whoever reads or writes; TLS's own state goes with the collector, since it must not be disposed under them.
    public override void Close() => under.Close();
}
