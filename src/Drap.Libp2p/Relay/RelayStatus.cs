namespace Drap.Libp2p.Relay;

/// <summary>How a request to a relay, or of one, went (circuit-v2, <c>Status</c>).</summary>
public enum RelayStatus
{
    /// <summary>Nothing was said.</summary>
    Unused = 0,

    /// <summary>It was done.</summary>
    Ok = 100,

    /// <summary>No reservation is given: there are too many.</summary>
    ReservationRefused = 200,

    /// <summary>There are too many circuits from, or to, this peer, or in all.</summary>
    ResourceLimitExceeded = 201,

    /// <summary>This peer may not, or not over a relayed connection.</summary>
    PermissionDenied = 202,

    /// <summary>The other peer could not be reached, or did not want to.</summary>
    ConnectionFailed = 203,

    /// <summary>The other peer has reserved nothing here.</summary>
    NoReservation = 204,

    /// <summary>The message was none.</summary>
    MalformedMessage = 400,

    /// <summary>The message has no place here.</summary>
    UnexpectedMessage = 401,
}

/// <summary>The names that the specification gives to statuses.</summary>
public static class RelayStatusExtensions
{
    /// <summary>The name as the specification and other implementations' messages have it: <c>NO_RESERVATION</c>.</summary>
    public static string ToName(this RelayStatus status) => status switch
    {
        RelayStatus.Ok => "OK",
        RelayStatus.ReservationRefused => "RESERVATION_REFUSED",
        RelayStatus.ResourceLimitExceeded => "RESOURCE_LIMIT_EXCEEDED",
        RelayStatus.PermissionDenied => "PERMISSION_DENIED",
        RelayStatus.ConnectionFailed => "CONNECTION_FAILED",
        RelayStatus.NoReservation => "NO_RESERVATION",
        RelayStatus.MalformedMessage => "MALFORMED_MESSAGE",
        RelayStatus.UnexpectedMessage => "UNEXPECTED_MESSAGE",
        _ => $"STATUS_{(int)status}",
    };
}
