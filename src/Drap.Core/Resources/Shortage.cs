using System.Collections.Immutable;

namespace Drap.Core;

/// <summary>
/// The answer to "does it fit": no shortage, or each dimension that is short. Vectors of resources have no order, so nothing here is
/// ever compared with <c>&lt;</c>: a request fits only if every dimension does.
/// </summary>
/// <param name="Dimension">As <c>drap job explain</c> names it: <c>cpu</c>, <c>memory</c>, <c>disk</c>, <c>network</c>, <c>gpu</c>, <c>gpu.type</c>, <c>gpu.memory</c>, or a named resource.</param>
/// <param name="Needed">What the task asks for, in the dimension's unit.</param>
/// <param name="Available">What there is.</param>
public readonly record struct Shortage(string Dimension, long Needed, long Available);

/// <summary>What was taken out of a <see cref="ResourcePool"/> for one attempt.</summary>
/// <param name="Request">The bundle.</param>
/// <param name="Devices">Indices of the devices that it got, in order; empty without a GPU.</param>
public sealed record Grant(ResourceRequest Request, ImmutableArray<int> Devices);
