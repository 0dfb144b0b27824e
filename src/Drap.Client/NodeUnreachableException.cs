namespace Drap.Client;

/// <summary>
/// The node does not answer: it is not there, or the connection broke. A call that changes something may have taken effect.
/// </summary>
/// <param name="socketPath">Where it was looked for.</param>
/// <param name="cause">What the system said.</param>
public sealed class NodeUnreachableException(string socketPath, Exception cause)
    : Exception($"the node at {socketPath} does not answer: {cause.Message}", cause);
