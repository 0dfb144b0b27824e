using System.Collections.Immutable;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Reads one expression by recursive descent: sums of products of atoms.</summary>
internal ref struct TemplateParser(string text, int at)
{
    // Both bound the recursion over the tree: a long sum leans to the left as deep as it is long.
    private const int depthMax = 32;
    private const int operatorsMax = 256;
    private int depth, operators;

    /// <summary>Where it stands; after success, past the closing braces.</summary>
    public int At { get; private set; } = at;

    /// <summary>The first thing that was wrong; null if nothing was.</summary>
    public string? Error { get; private set; }

    /// <summary>The expression up to and with <c>}}</c>.</summary>
    public TemplateExpression? Parse()
    {
        TemplateExpression? expression = Sum();
        SkipSpace();
        if (Error is null && !Take("}}"))
            Fail("an operator or '}}'");
        return Error is null ? expression : null;
    }

    private TemplateExpression? Sum() => Chain("+-", ref this, static (ref TemplateParser p) => p.Product());

    private TemplateExpression? Product() => Chain("*/%", ref this, static (ref TemplateParser p) => p.Atom());

    private delegate TemplateExpression? Operand(ref TemplateParser parser);

    private static TemplateExpression? Chain(string operators, ref TemplateParser parser, Operand operand)
    {
        TemplateExpression? left = operand(ref parser);
        while (parser.Error is null)
        {
            parser.SkipSpace();
            char c = parser.Peek();
            if (c == '\0' || !operators.Contains(c, StringComparison.Ordinal))
                break;
            if (++parser.operators > operatorsMax)
                return parser.Fail($"at most {operatorsMax} operators");
            parser.At++;
            TemplateExpression? right = operand(ref parser);
            if (parser.Error is null)
                left = new TemplateExpression.Call(c.ToString(), [left!, right!]);
        }
        return left;
    }

    private TemplateExpression? Atom()
    {
        if (++depth > depthMax)
        {
            Fail($"an expression nested at most {depthMax} deep");
            return null;
        }
        SkipSpace();
        char c = Peek();
        TemplateExpression? atom = c switch
        {
            '(' => Parenthesis(),
            '-' => Negative(),
            '\'' => Quoted(),
            >= '0' and <= '9' => Number(),
            _ when char.IsAsciiLetter(c) => NameOrCall(),
            _ => Fail("a name, a number, 'text' or '('"),
        };
        depth--;
        return atom;
    }

    private TemplateExpression? Parenthesis()
    {
        At++;
        TemplateExpression? inner = Sum();
        SkipSpace();
        if (Error is null && !Take(")"))
            Fail("')'");
        return inner;
    }

    private TemplateExpression.Call? Negative()
    {
        At++;
        TemplateExpression? operand = Atom();
        var zero = new TemplateExpression.Literal(new TemplateValue(0));
        return operand is null ? null : new TemplateExpression.Call("-", [zero, operand]);
    }

    private TemplateExpression? Quoted()
    {
        int start = ++At;
        while (At < text.Length)
        {
            if (text[At] != '\'')
                At++;
            else if (At + 1 < text.Length && text[At + 1] == '\'')
                At += 2;
            else
                return new TemplateExpression.Literal(new TemplateValue(text[start..At++].Replace("''", "'", StringComparison.Ordinal)));
        }
        return Fail("the closing quote");
    }

    private TemplateExpression? Number()
    {
        int start = At;
        while (char.IsAsciiLetterOrDigit(Peek()))
            At++;
        string digits = text[start..At];
        if (long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long value))
            return new TemplateExpression.Literal(new TemplateValue(value));
        if (ByteSize.TryParse(digits, out ByteSize size))
            return new TemplateExpression.Literal(new TemplateValue(size.Bytes));
        At = start;
        return Fail("a whole number or a size");
    }

    private TemplateExpression? NameOrCall()
    {
        int start = At;
        while (char.IsAsciiLetterOrDigit(Peek()) || Peek() is '_' or '.' || Peek() == '-' && IsInMember(start))
            At++;
        string name = text[start..At];
        SkipSpace();
        if (Peek() != '(')
            return new TemplateExpression.Name(name);
        int count = TemplateExpression.Functions.FirstOrDefault(f => f.Name == name).Arguments;
        if (count == 0)
        {
            At = start;
            return Fail("a function: " + string.Join(", ", TemplateExpression.Functions.Select(f => f.Name)));
        }
        At++;
        return Arguments(name, count);
    }

    /// <summary>Segments and inputs may have a dash in their names, so after a dot it belongs to the name; to subtract, put a space before it.</summary>
    private readonly bool IsInMember(int start) =>
        text.AsSpan(start, At - start).Contains('.') && At + 1 < text.Length && char.IsAsciiLetterOrDigit(text[At + 1]);

    private TemplateExpression? Arguments(string name, int count)
    {
        var arguments = ImmutableArray.CreateBuilder<TemplateExpression>(count);
        for (int i = 0; i < count; i++)
        {
            if (Sum() is not { } argument || Error is not null)
                return null;
            arguments.Add(argument);
            SkipSpace();
            string next = i < count - 1 ? "," : ")";
            if (!Take(next))
                return Fail($"'{next}': {name} takes {count}");
        }
        return new TemplateExpression.Call(name, arguments.DrainToImmutable());
    }

    private readonly char Peek() => At < text.Length ? text[At] : '\0';

    private void SkipSpace()
    {
        while (At < text.Length && char.IsWhiteSpace(text[At]))
            At++;
    }

    private bool Take(string token)
    {
        if (!text.AsSpan(At).StartsWith(token, StringComparison.Ordinal))
            return false;
        At += token.Length;
        return true;
    }

    private TemplateExpression? Fail(string allowed)
    {
        string found = At < text.Length ? $"'{text[At]}'" : "the end";
        Error ??= $"found {found} at character {At + 1} of the text; allowed: {allowed}";
        return null;
    }
}
