using Xunit;

namespace Drap.Core.Tests.Nodes;

public sealed class WorkerNodeTests
{
    [Theory]
    [InlineData("main_path")]
    public void A_worker_behaves_as_the_script_tells(string script) => WorkerScript.Run(script);
}
