using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Execution;

/// <summary>Whose tasks run in a sandbox on a worker, and what they may have there (design.md, 5, "Trust").</summary>
public sealed record SandboxRules
{
    /// <summary>Whose machine it is: his own tasks run as plain processes, unless <see cref="Use"/> says otherwise. Default <see cref="Principal.Local"/>.</summary>
    public Principal Owner { get; init; } = Principal.Local;

    /// <summary>Whose tasks. Default others': an owner trusts himself, and a plain process starts in a fifth of the time.</summary>
    public SandboxUse Use { get; init; } = SandboxUse.Others;

    /// <summary>Whether a task that asks for network has it in the sandbox. Default false: what runs there could speak to the owner's own network.</summary>
    public bool Network { get; init; }

    /// <summary>Files and folders, absolute, that tasks in the sandbox see besides the system's programs, and cannot change. Default none.</summary>
    public ImmutableArray<string> Shows { get; init; } = [];

    /// <summary>Why there is no sandbox on this machine; empty if there is one. Default empty. Tasks that need it are then refused, never run without.</summary>
    public string Missing { get; init; } = "";

    /// <summary>Whether tasks of <paramref name="principal"/> run in the sandbox.</summary>
    public bool AppliesTo(Principal principal) => Use == SandboxUse.Always || (Use == SandboxUse.Others && principal != Owner);

    /// <summary>What a task of <paramref name="principal"/> may have there; null if it runs as a plain process.</summary>
    /// <param name="principal">Whose task.</param>
    /// <param name="networkMbps">The network that it asks for, in Mbit/s; 0 for none.</param>
    public SandboxTerms? TermsFor(Principal principal, long networkMbps) =>
        AppliesTo(principal) ? new SandboxTerms(Network && networkMbps > 0) : null;

    /// <summary>What is missing here for the tasks of a group, as a refusal names it; null if nothing is.</summary>
    internal string? MissingFor(TaskGroup group, Principal principal)
    {
        // Handlers are the owner's own code, registered by him.
        if (group.Driver == "dotnet" || !AppliesTo(principal))
            return null;
        return Missing.Length > 0 ? "sandbox" : group.Resources.NetworkMbps > 0 && !Network ? "network in the sandbox" : null;
    }
}

/// <summary>Whose tasks run in a sandbox.</summary>
[JsonConverter(typeof(WordConverter<SandboxUse>))]
public enum SandboxUse
{
    /// <summary>Those of all but the owner.</summary>
    Others,

    /// <summary>Everybody's.</summary>
    Always,

    /// <summary>Nobody's: the owner trusts all who may run here.</summary>
    Never,
}

/// <summary>What one attempt has in its sandbox beyond the usual.</summary>
/// <param name="Network">Whether it sees the machine's network.</param>
public sealed record SandboxTerms(bool Network);
