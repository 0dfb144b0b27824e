using Drap.Core.Nodes;

namespace Drap.Node.Hosting.Workers;

/// <summary>One worker of a swarm on one machine.</summary>
/// <param name="Name">Its name, which is its folder's too.</param>
/// <param name="Options">What it owns and asks.</param>
public sealed record WorkerSpec(string Name, WorkerOptions Options);
