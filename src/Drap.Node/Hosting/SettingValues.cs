using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drap.Core.Membership;
using Drap.Node.Config;
using Drap.Node.Hosting.Workers;
using Drap.Node.Membership;

namespace Drap.Node.Hosting;

/// <summary>What holds of each setting, as a file would have it.</summary>
public static class SettingValues
{
    /// <summary>All settings in their order.</summary>
    /// <param name="config">What was said.</param>
    /// <param name="machine">What was measured.</param>
    /// <param name="swarm">The home's certificates: what they say is not to be said otherwise.</param>
    public static ImmutableArray<(NodeSetting Setting, string Text, Origin Origin)> Of(NodeConfig config, MachineResources machine, MembershipFolder swarm)
    {
        JsonNode json = config.Spec.ToJson();
        Dictionary<string, string> certified = Certified(swarm);
        return [.. NodeSetting.All.Select(s => certified.TryGetValue(s.Path, out string? text) ? (s, text, Origin.Certificate) : (s, TextOf(s), config.OriginOf(s)))];

        string TextOf(NodeSetting setting)
        {
            JsonNode? value = json;
            foreach (string step in setting.Path.Split('.'))
                value = value?[step];
            if (config.IsSaid(setting.Path))
                return Text(value!);
            return setting.Path switch
            {
                "name" => Plain(Environment.MachineName),
                "principal" => Plain(Environment.UserName),
                "swarm" => Plain(config.Spec.Name ?? Environment.MachineName),
                "roles" => config.Spec.Gateway ? "[gateway]" : $"({setting.About.Usual})",
                "listen" when swarm.ReadPort() is { } port => string.Create(CultureInfo.InvariantCulture, $"[/ip4/0.0.0.0/tcp/{port}]"),
                "listen" or "time_limit" or "idle_timeout" or "journal" => $"({setting.About.Usual})",
                _ => setting.About.IsDetected ? machine.WordsOf(setting.Path) : setting.About.Usual,
            };
        }
    }

    private static Dictionary<string, string> Certified(MembershipFolder swarm)
    {
        var said = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!swarm.Exists)
            return said;
        JoinReply card = swarm.ReadCard();
        if (!SignedPapers.TryOpen(card.Chain, out ImmutableArray<SignedCertificate> chain) || chain is not [var own, ..])
            return said;
        said["name"] = Plain(own.Body.Name);
        said["principal"] = Plain(own.Body.Principal.Name);
        said["swarm"] = Plain(card.SwarmName);
        return said;
    }

    private static string Text(JsonNode value) => value switch
    {
        JsonArray list => $"[{string.Join(", ", list.Select(i => Text(i!)))}]",
        JsonObject { Count: 0 } => "{}",
        // A device of which only the number is said.
        JsonObject device when device["index"] is { } index && device["model"]?.GetValue<string>() is "" && device["memory"] is null => index.ToJsonString(),
        JsonObject map => $"{{ {string.Join(", ", map.Where(m => m.Value is not null).Select(m => $"{m.Key}: {Text(m.Value!)}"))} }}",
        JsonValue text when text.GetValueKind() == JsonValueKind.String => Plain(text.GetValue<string>()),
        _ => value.ToJsonString(),
    };

    /// <summary>What YAML may read otherwise stands in quotes.</summary>
    private static string Plain(string text) => text.Length > 0 && text.All(c => char.IsLetterOrDigit(c) || c is '.' or '_' or '-' or '/' or '+') && text[0] is not '-'
        ? text : JsonSerializer.Serialize(text, Core.Jobs.JobJson.TypeInfo<string>());
}
