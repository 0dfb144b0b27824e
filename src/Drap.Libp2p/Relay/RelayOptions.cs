namespace Drap.Libp2p.Relay;

/// <summary>What a relay gives.</summary>
public sealed record RelayOptions
{
    /// <summary>How long a reservation stands unless it is renewed. Default 1 h, as in go.</summary>
    public TimeSpan ReservationLasts { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Peers that may have a reservation: each holds a connection open. Default 1 024. More are refused.</summary>
    public int ReservationsMax { get; init; } = 1024;

    /// <summary>
    /// Circuits at a time in all. Each holds at most two pieces of 64 KiB that are on their way and two streams' windows. Default 1 024. More
    /// are refused.
    /// </summary>
    public int CircuitsMax { get; init; } = 1024;

    /// <summary>Circuits from, and to, one peer: a scheduler behind NAT talks to every worker behind NAT. Default 256. More are refused.</summary>
    public int CircuitsOfPeerMax { get; init; } = 256;

    /// <summary>
    /// What a circuit is allowed. Default: no limit, since what goes over it are models and data sets of any size, a cut circuit would lose a
    /// transfer, and js runs little over one that has a limit. A relay for strangers should set one.
    /// </summary>
    public RelayLimit Limit { get; init; } = RelayLimit.None;

    /// <summary>After which a circuit over which nothing went is closed: live ones are pinged far more often. Default 5 min.</summary>
    public TimeSpan IdleMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long the peer that is connected to may take to answer. Default 30 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
