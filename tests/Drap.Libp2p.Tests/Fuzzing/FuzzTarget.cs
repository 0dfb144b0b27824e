namespace Drap.Libp2p.Tests.Fuzzing;

/// <summary>A parser to be fed with anything.</summary>
/// <param name="Name">The name of its corpus file.</param>
/// <param name="Steps">Inputs of a short run; a long one takes a hundred times as many. Fewer where one costs a signature or a key exchange.</param>
/// <param name="AllocatedMax">The most bytes that a run over an input of this length may allocate.</param>
/// <param name="Seeds">Inputs to begin with, good ones.</param>
/// <param name="Run">
/// Parses, checks what must hold of the result, and names in a word what happened: an input with an outcome that was not seen before is kept and
/// bent further.
/// </param>
internal sealed record FuzzTarget(string Name, int Steps, Func<int, long> AllocatedMax, byte[][] Seeds, Func<byte[], string> Run)
{
    public override string ToString() => Name;
}
