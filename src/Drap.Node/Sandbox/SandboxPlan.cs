using System.Collections.Immutable;

namespace Drap.Node.Sandbox;

/// <summary>What a task in a sandbox has there beyond its folder and the system's programs.</summary>
/// <param name="Network">Whether it sees the machine's network.</param>
/// <param name="Gpus">The devices that it may use, by index.</param>
public sealed record SandboxPlan(bool Network, ImmutableArray<int> Gpus);
