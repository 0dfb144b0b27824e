using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>What an expression is worth: a whole number or a text. A text that is a whole number may be computed with.</summary>
public readonly record struct TemplateValue
{
    private readonly string? text;
    private readonly long number;

    /// <summary>A text.</summary>
    public TemplateValue(string text) => this.text = text;

    /// <summary>A whole number.</summary>
    public TemplateValue(long number) => this.number = number;

    /// <summary>Whether it was made as a number.</summary>
    public bool IsNumber => text is null;

    /// <summary>The number, if it is one or reads as one.</summary>
    public bool TryGetNumber(out long value)
    {
        value = number;
        return text is null || long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>The text, or the number in decimal.</summary>
    public override string ToString() => text ?? number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Finds what a dotted name stands for, such as <c>params.size</c> or <c>index</c>; false leaves it for a later phase.</summary>
public delegate bool TemplateLookup(string name, out TemplateValue value);
