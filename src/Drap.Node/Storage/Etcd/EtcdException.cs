namespace Drap.Node.Storage.Etcd;

/// <summary>What etcd says against a request, or that none of its members says anything.</summary>
public enum EtcdFault
{
    /// <summary>No member answers, or they have no leader: another try may succeed.</summary>
    Unavailable,

    /// <summary>The database is full (NOSPACE): nothing is written until an operator makes room and disarms the alarm.</summary>
    NoSpace,

    /// <summary>The request will not do, now or later.</summary>
    Refused,
}

/// <summary>A request to etcd did not succeed.</summary>
/// <param name="fault">Why.</param>
/// <param name="message">In etcd's words, with the member.</param>
/// <param name="cause">What is below it.</param>
public sealed class EtcdException(EtcdFault fault, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>Why.</summary>
    public EtcdFault Fault { get; } = fault;
}
