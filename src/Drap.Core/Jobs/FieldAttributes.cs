namespace Drap.Core.Jobs;

/// <summary>The field's texts may hold expressions of what is known only when a task starts; all other fields may use parameters only.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class LateAttribute : Attribute;

/// <summary>In a file a bare text or number may stand for the whole: it is the named field.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ScalarFormAttribute(string field) : Attribute
{
    /// <summary>The field, as it is written.</summary>
    public string Field { get; } = field;
}
