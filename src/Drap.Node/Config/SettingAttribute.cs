namespace Drap.Node.Config;

/// <summary>
/// What a field of a node's settings is for. This one list is what the file, its schema, the flags, the variables and the table of the guide are made from.
/// </summary>
/// <param name="words">What it says, without a full stop.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string words) : Attribute
{
    /// <summary>What it says.</summary>
    public string Words { get; } = words;

    /// <summary>What holds where nothing is said: a value as the file has it, or words that are none.</summary>
    public string Usual { get; init; } = "";

    /// <summary>Whether what holds then is measured on the machine.</summary>
    public bool IsDetected { get; init; }

    /// <summary>A value as the file has it, to be shown.</summary>
    public string Example { get; init; } = "";

    /// <summary>What stands for a value in a command's help.</summary>
    public string Value { get; init; } = "";

    /// <summary>Another name of the flag.</summary>
    public string Alias { get; init; } = "";
}
