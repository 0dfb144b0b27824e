using System.Globalization;

namespace Drap.Core.Execution;

/// <summary>The names of signals: Linux's numbers on x64 and arm64 (signal(7)).</summary>
public static class Signals
{
    private static readonly string[] names =
    [
        "", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM",
        "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
        "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
    ];

    /// <summary>A signal as people know it, <c>signal 11 (SIGSEGV)</c>; those for programs' own use have numbers alone.</summary>
    public static string NameOf(int signal) => signal > 0 && signal < names.Length
        ? string.Create(CultureInfo.InvariantCulture, $"signal {signal} ({names[signal]})") : string.Create(CultureInfo.InvariantCulture, $"signal {signal}");
}
