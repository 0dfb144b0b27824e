using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Drap.Core.Tests.Messages;

/// <summary>The docstrings of Core as plain text.</summary>
internal static partial class XmlDocs
{
    private static readonly Dictionary<string, XElement> Members =
        XDocument.Load(Path.Combine(AppContext.BaseDirectory, "Drap.Core.xml")).Descendants("member")
            .ToDictionary(m => m.Attribute("name")!.Value);

    public static string Of(Type type) => Plain(Members["T:" + type.FullName].Element("summary")!);

    public static string Of(Type type, string property) =>
        Members.TryGetValue($"P:{type.FullName}.{property}", out XElement? member) && member.Element("summary") is { } summary
            ? Plain(summary)
            : Plain(Members["T:" + type.FullName].Elements("param").Single(p => p.Attribute("name")!.Value == property));

    private static string Plain(XElement element)
    {
        string text = string.Concat(element.Nodes().Select(node => node switch
        {
            XElement { Name.LocalName: "see" } see => see.Attribute("cref")!.Value.Split(':', '(')[1].Split('.')[^1],
            XElement other => other.Value,
            _ => node.ToString(),
        }));
        return Blanks().Replace(System.Net.WebUtility.HtmlDecode(text), " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
