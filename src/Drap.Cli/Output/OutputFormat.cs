namespace Drap.Cli.Output;

/// <summary>How data is written to standard output.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Table,

    /// <summary>One versioned document.</summary>
    Json,

    /// <summary>The same document.</summary>
    Yaml,

    /// <summary>Only names or ids, one per line, and no talk.</summary>
    Quiet,
}
