using System.Text.Json;
using Drap.Cli.Output;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Drap.Tests.Cli;

public sealed class YamlTests
{
    [Fact]
    public void Nested_documents_are_in_block_style()
    {
        string yaml = Yaml.Of(JsonDocument.Parse("""{"a":1,"b":[{"c":"x","d":[]},{"c":"y","e":{"f":true}}],"g":{}}""").RootElement);
        Assert.Equal(
            """
            a: 1
            b:
              - c: x
                d: []
              - c: "y"
                e:
                  f: true
            g: {}

            """, yaml);
    }

    [Theory]
    [InlineData("")]
    [InlineData("no")]
    [InlineData("1e3")]
    [InlineData("a: b")]
    [InlineData("- x")]
    [InlineData("#x")]
    [InlineData("line\nbreak")]
    [InlineData("tab\tand \u0001")]
    [InlineData("ünï ☃ \ud83d\ude00")]
    [InlineData("'\"\\")]
    public void Any_text_comes_back_as_it_was(string text)
    {
        string yaml = Yaml.Of(JsonSerializer.SerializeToElement(new Dictionary<string, string> { ["key"] = text }));
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        var value = (YamlScalarNode)((YamlMappingNode)stream.Documents[0].RootNode)["key"];
        Assert.Equal(text, value.Value);
    }
}
