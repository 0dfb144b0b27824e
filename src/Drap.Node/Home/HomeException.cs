namespace Drap.Node.Home;

/// <summary>Why a home cannot be used.</summary>
public enum HomeProblem
{
    /// <summary>It cannot be made, read or written.</summary>
    NotUsable,

    /// <summary>Another process has it.</summary>
    InUse,

    /// <summary>It is a copy, or was moved: it belongs to another machine, device or inode.</summary>
    Copied,

    /// <summary>It lies where a journal is not safe.</summary>
    NetworkFileSystem,
}

/// <summary>A home cannot be used.</summary>
/// <param name="problem">Why, for programs.</param>
/// <param name="message">Why, for people.</param>
/// <param name="remedy">What to do about it.</param>
public sealed class HomeException(HomeProblem problem, string message, string remedy) : Exception(message)
{
    /// <summary>Why, for programs.</summary>
    public HomeProblem Problem { get; } = problem;

    /// <summary>What to do about it.</summary>
    public string Remedy { get; } = remedy;
}
