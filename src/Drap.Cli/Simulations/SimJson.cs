using System.Text.Json.Serialization;
using Drap.Simulator.Worlds;

namespace Drap.Cli.Simulations;

/// <summary>How what was simulated is written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(ScenarioResult))]
[JsonSerializable(typeof(Commands.HuntResult))]
internal sealed partial class SimJson : JsonSerializerContext;
