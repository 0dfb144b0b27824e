using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Drap;

/// <summary>Checks of what must hold if our own code is right; on in Release. A failure stops the component that made it.</summary>
public static class Invariant
{
    /// <summary>Throws <see cref="InvariantException"/> unless <paramref name="condition"/> holds.</summary>
    public static void Check(
        [DoesNotReturnIf(false)] bool condition,
        [CallerArgumentExpression(nameof(condition))] string? expression = null)
    {
        if (!condition)
            Fail(expression ?? "");
    }

    /// <summary>Says that this place cannot be reached, or that a state cannot be.</summary>
    [DoesNotReturn]
    public static void Fail(string what) => throw new InvariantException(what);
}

/// <summary>A bug of ours, found by <see cref="Invariant"/>; never caused by a peer's message, a user's file or the environment.</summary>
public sealed class InvariantException(string what) : Exception($"invariant broken: {what}");
