using Drap.Core.Jobs;
using Xunit;

namespace Drap.Core.Tests.Jobs;

public sealed class TemplateTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("${{ params.size }}", "1000000000")]
    [InlineData("a${{index}}b${{ index + 1 }}", "a3b4")]
    [InlineData("${{ 2 + 3 * 4 - 1 }}", "13")]
    [InlineData("${{ (2 + 3) * 4 }}", "20")]
    [InlineData("${{ -7 / 2 }} ${{ -7 % 2 }}", "-3 -1")]
    [InlineData("${{ ceil_div(params.size, 64MiB) }}", "15")]
    [InlineData("${{ ceil_div(-7, 2) }} ${{ ceil_div(7, 2) }}", "-3 4")]
    [InlineData("${{ min(index, 2) }}${{ max(index, 9) }}", "29")]
    [InlineData("part-${{ pad(index, 4) }}", "part-0003")]
    [InlineData("${{ quote(params.odd) }}", "'it'\\''s'")]
    [InlineData("${{ 'text with }} and ''quotes''' }}", "text with }} and 'quotes'")]
    [InlineData("$${{ index }} $x ${y}", "${{ index }} $x ${y}")]
    [InlineData("${{ params.dashed-name }}", "dash")]
    [InlineData("${{ params.size -1 }}", "999999999")]
    [InlineData("${{ params.digits * 2 }}", "14")]
    public void An_expression_is_worth_what_it_says(string text, string expected)
    {
        Assert.True(Template.TryParse(text, out Template? template, out string? error), error);
        Assert.True(template.TryEvaluate(Known, out string? value, out error), error);
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData("${{ ", "found the end at character 5 of the text; allowed: a name, a number, 'text' or '('")]
    [InlineData("x ${{ index + }}", "found '}' at character 15 of the text; allowed: a name, a number, 'text' or '('")]
    [InlineData("${{ index ", "found the end at character 11 of the text; allowed: an operator or '}}'")]
    [InlineData("${{ (1 }}", "found '}' at character 8 of the text; allowed: ')'")]
    [InlineData("${{ sqrt(4) }}", "found 's' at character 5 of the text; allowed: a function: ceil_div, max, min, pad, quote")]
    [InlineData("${{ max(4) }}", "found ')' at character 10 of the text; allowed: ',': max takes 2")]
    [InlineData("${{ 'open }}", "found the end at character 13 of the text; allowed: the closing quote")]
    public void A_bad_expression_names_its_character(string text, string expected)
    {
        Assert.False(Template.TryParse(text, out _, out string? error));
        Assert.Equal(expected, error);
    }

    [Theory]
    [InlineData("${{ 1 / 0 }}", "division by zero: (1 / 0)")]
    [InlineData("${{ 9223372036854775807 + 1 }}", "the result does not fit 64 bits: (9223372036854775807 + 1)")]
    [InlineData("${{ params.odd * 2 }}", "'*' takes whole numbers, not 'it's'")]
    [InlineData("${{ nothing }}", "'nothing' is not known here")]
    public void An_impossible_value_says_why(string text, string expected)
    {
        Assert.True(Template.TryParse(text, out Template? template, out _));
        Assert.False(template.TryEvaluate(Known, out _, out string? error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void What_a_phase_does_not_know_stays_an_expression_and_reads_back()
    {
        Assert.True(Template.TryParse("$${{ ${{ index * params.digits + rank }} ${{ params.brace }}", out Template? template, out _));
        Assert.True(template.TryBind(Params, out Template? bound, out _));
        Assert.Equal("$${{ ${{ ((index * '7') + rank) }} $${{ x }}", bound.ToString());
        Assert.True(Template.TryParse(bound.ToString(), out Template? again, out _));
        Assert.True(again.TryEvaluate(Known, out string? text, out _));
        Assert.Equal("${{ 23 ${{ x }}", text);
    }

    [Fact]
    public void Depth_and_length_of_expressions_are_bounded()
    {
        Assert.False(Template.TryParse($"${{{{ {new string('(', 100_000)}1 }}}}", out _, out string? error));
        Assert.EndsWith("allowed: an expression nested at most 32 deep", error);
        Assert.False(Template.TryParse($"${{{{ 1{string.Concat(Enumerable.Repeat("+1", 60_000))} }}}}", out _, out error));
        Assert.EndsWith("allowed: at most 256 operators", error);
        Assert.False(Template.TryParse(string.Concat(Enumerable.Repeat("${{1}}", 2_000)), out _, out error));
        Assert.Equal("more than 1024 expressions in one text", error);
    }

    private static bool Params(string name, out TemplateValue value)
    {
        value = name switch
        {
            "params.size" => new TemplateValue(1_000_000_000),
            "params.odd" => new TemplateValue("it's"),
            "params.digits" => new TemplateValue("7"),
            "params.brace" => new TemplateValue("${{ x }}"),
            "params.dashed-name" => new TemplateValue("dash"),
            _ => default,
        };
        return name.StartsWith("params.", StringComparison.Ordinal);
    }

    private static bool Known(string name, out TemplateValue value)
    {
        value = new TemplateValue(name == "index" ? 3 : 2);
        return name is "index" or "rank" || Params(name, out value);
    }
}
