namespace Drap.Node.Doctor;

/// <summary>How something stands with a machine.</summary>
public enum FindingLevel
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>A node runs here, but something of it works less well, or not at all.</summary>
    Warn,

    /// <summary>No node runs here as it is.</summary>
    Fail,
}

/// <summary>What was found of one thing.</summary>
/// <param name="Name">The thing, one word.</param>
/// <param name="Level">How it stands.</param>
/// <param name="Says">What was found.</param>
/// <param name="Remedy">What to do about it; empty where nothing is to be done.</param>
public sealed record Finding(string Name, FindingLevel Level, string Says, string Remedy = "")
{
    internal static Finding Ok(string name, string says) => new(name, FindingLevel.Ok, says);

    internal static Finding Warn(string name, string says, string remedy) => new(name, FindingLevel.Warn, says, remedy);

    internal static Finding Fail(string name, string says, string remedy) => new(name, FindingLevel.Fail, says, remedy);
}
