using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

public sealed class ScriptTests
{
    [Theory]
    [InlineData("mesh")]
    [InlineData("backoff")]
    [InlineData("messages")]
    [InlineData("validation")]
    public void The_router_does_as_told(string script) => RouterScript.Run(script);
}
