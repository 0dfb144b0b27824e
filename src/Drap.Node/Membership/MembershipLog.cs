using Drap.Core.Membership;
using Drap.Libp2p.Multiformats;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Membership;

/// <summary>Lines of membership; ids 1100 to 1199.</summary>
internal static partial class MembershipLog
{
    [LoggerMessage(1100, LogLevel.Debug, "{Peer} at {Address} is not let in: {Why}")]
    public static partial void Refused(ILogger logger, PeerId peer, Multiaddr address, MembershipFault why);

    [LoggerMessage(1101, LogLevel.Debug, "{Peer} at {Address} does not let this node in: {Why}")]
    public static partial void RefusedBy(ILogger logger, PeerId peer, Multiaddr address, MembershipFault why);

    [LoggerMessage(1102, LogLevel.Warning, "what is known of the swarm cannot be kept on disk: {Error}")]
    public static partial void NotKept(ILogger logger, string error);

    [LoggerMessage(1103, LogLevel.Information, "{Name} ({Peer}) belongs to the swarm no more: {Why}")]
    public static partial void ShownOut(ILogger logger, string name, PeerId peer, MembershipFault why);
}
