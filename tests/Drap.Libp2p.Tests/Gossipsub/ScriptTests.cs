using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

public sealed class ScriptTests
{
    [Theory]
    [InlineData("mesh")]
    [InlineData("backoff")]
    [InlineData("messages")]
    [InlineData("validation")]
    [InlineData("late")]
    [InlineData("gossip")]
    [InlineData("publish")]
    [InlineData("outside")]
    [InlineData("scores")]
    public void The_router_does_as_told(string script) => RouterScript.Run(script);
}
