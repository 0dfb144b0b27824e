using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Drap.Core.Jobs;

/// <summary>An expression of a template: whole numbers of 64 bits with <c>+ - * / %</c> (division rounds towards zero), texts, names, functions.</summary>
internal abstract record TemplateExpression
{
    /// <summary>Functions by name, with the number of their arguments.</summary>
    public static readonly ImmutableArray<(string Name, int Arguments)> Functions =
        [("ceil_div", 2), ("max", 2), ("min", 2), ("pad", 2), ("quote", 1)];

    private const int widthMax = 20;

    private TemplateExpression()
    {
    }

    /// <summary>Reads from <paramref name="at"/>, which stands after <c>${{</c>, past the closing <c>}}</c>.</summary>
    public static bool TryParse(string text, ref int at, [NotNullWhen(true)] out TemplateExpression? expression, [NotNullWhen(false)] out string? error)
    {
        var parser = new TemplateParser(text, at);
        expression = parser.Parse();
        at = parser.At;
        error = parser.Error;
        return error is null;
    }

    /// <summary>Adds every name that is used.</summary>
    public abstract void CollectNames(SortedSet<string> names);

    /// <summary>Puts values for known names and computes what is then known.</summary>
    public abstract bool TryReduce(TemplateLookup lookup, [NotNullWhen(true)] out TemplateExpression? reduced, [NotNullWhen(false)] out string? error);

    /// <summary>A value.</summary>
    public sealed record Literal(TemplateValue Value) : TemplateExpression
    {
        public override void CollectNames(SortedSet<string> names)
        {
        }

        public override bool TryReduce(TemplateLookup lookup, [NotNullWhen(true)] out TemplateExpression? reduced, [NotNullWhen(false)] out string? error)
        {
            reduced = this;
            error = null;
            return true;
        }

        public override string ToString() =>
            Value.IsNumber ? Value.ToString() : $"'{Value.ToString().Replace("'", "''", StringComparison.Ordinal)}'";
    }

    /// <summary>A dotted name.</summary>
    public sealed record Name(string Path) : TemplateExpression
    {
        public override void CollectNames(SortedSet<string> names) => names.Add(Path);

        public override bool TryReduce(TemplateLookup lookup, [NotNullWhen(true)] out TemplateExpression? reduced, [NotNullWhen(false)] out string? error)
        {
            reduced = lookup(Path, out TemplateValue value) ? new Literal(value) : this;
            error = null;
            return true;
        }

        public override string ToString() => Path;
    }

    /// <summary>An operator (<c>+</c>, <c>-</c>, …) or a function, with its arguments.</summary>
    public sealed record Call(string Function, ImmutableArray<TemplateExpression> Arguments) : TemplateExpression
    {
        public override void CollectNames(SortedSet<string> names)
        {
            foreach (TemplateExpression argument in Arguments)
                argument.CollectNames(names);
        }

        public override bool TryReduce(TemplateLookup lookup, [NotNullWhen(true)] out TemplateExpression? reduced, [NotNullWhen(false)] out string? error)
        {
            reduced = null;
            error = null;
            var arguments = ImmutableArray.CreateBuilder<TemplateExpression>(Arguments.Length);
            foreach (TemplateExpression argument in Arguments)
            {
                if (!argument.TryReduce(lookup, out TemplateExpression? known, out error))
                    return false;
                arguments.Add(known);
            }
            if (!arguments.All(a => a is Literal))
            {
                reduced = this with { Arguments = arguments.DrainToImmutable() };
                return true;
            }
            error = Apply([.. arguments.Select(a => ((Literal)a).Value)], out TemplateValue value);
            reduced = error is null ? new Literal(value) : null;
            return error is null;
        }

        public override string ToString() =>
            char.IsLetter(Function[0]) ? $"{Function}({string.Join(", ", Arguments)})" : $"({Arguments[0]} {Function} {Arguments[1]})";

        private string? Apply(ImmutableArray<TemplateValue> values, out TemplateValue result)
        {
            result = default;
            if (Function == "quote")
            {
                result = new TemplateValue($"'{values[0].ToString().Replace("'", "'\\''", StringComparison.Ordinal)}'");
                return null;
            }
            if (!values[0].TryGetNumber(out long a) || !values[1].TryGetNumber(out long b))
                return $"'{Function}' takes whole numbers, not '{values.First(v => !v.TryGetNumber(out _))}'";
            if (Function is "/" or "%" or "ceil_div" && b == 0)
                return $"division by zero: {this}";
            if (Function == "pad")
            {
                result = new TemplateValue(values[0].ToString().PadLeft((int)Math.Clamp(b, 0, widthMax), '0'));
                return null;
            }
            Int128 exact = Function switch
            {
                "+" => (Int128)a + b,
                "-" => (Int128)a - b,
                "*" => (Int128)a * b,
                "/" => (Int128)a / b,
                "%" => (Int128)a % b,
                "min" => Math.Min(a, b),
                "max" => Math.Max(a, b),
                // Rounded up, for either sign.
                _ => (Int128)a / b + ((Int128)a % b != 0 && a < 0 == b < 0 ? 1 : 0),
            };
            result = new TemplateValue((long)exact);
            return exact == (long)exact ? null : $"the result does not fit 64 bits: {this}";
        }
    }
}
