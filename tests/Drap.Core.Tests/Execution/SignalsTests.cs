using Drap.Core.Execution;
using Xunit;

namespace Drap.Core.Tests.Execution;

public sealed class SignalsTests
{
    [Theory]
    [InlineData(1, "signal 1 (SIGHUP)")]
    [InlineData(9, "signal 9 (SIGKILL)")]
    [InlineData(11, "signal 11 (SIGSEGV)")]
    [InlineData(15, "signal 15 (SIGTERM)")]
    [InlineData(25, "signal 25 (SIGXFSZ)")]
    [InlineData(31, "signal 31 (SIGSYS)")]
    [InlineData(34, "signal 34")]
    [InlineData(0, "signal 0")]
    public void A_signal_is_named_as_people_know_it(int signal, string name) => Assert.Equal(name, Signals.NameOf(signal));
}
