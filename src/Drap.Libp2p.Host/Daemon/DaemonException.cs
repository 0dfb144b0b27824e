namespace Drap.Libp2p.Host.Daemon;

/// <summary>The daemon said no, in its words; or what came is not its protocol.</summary>
public sealed class DaemonException(string message, Exception? inner = null) : Libp2pException(message, inner);
