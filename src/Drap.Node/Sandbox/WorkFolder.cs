namespace Drap.Node.Sandbox;

/// <summary>The folder of one attempt: the task's current directory, with <c>in/</c>, <c>out/</c> and <c>tmp/</c> below it, empty at the start.</summary>
public abstract class WorkFolder
{
    /// <summary>The task's current directory; absolute.</summary>
    public abstract string Path { get; }

    /// <summary>Where inputs are put.</summary>
    public string In => Path + "/in";

    /// <summary>Where the task puts its outputs.</summary>
    public string Out => Path + "/out";

    /// <summary>Whether it lies in memory.</summary>
    public abstract bool InMemory { get; }
}
