using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Something wrong with a job: where in it, what was found, what is allowed instead.</summary>
/// <param name="Path">The field: <c>segments[1].resources.memory</c>; empty for the whole.</param>
/// <param name="Found">What was found, as a phrase.</param>
/// <param name="Allowed">What is allowed instead, as a phrase; a question where one thing was probably meant; empty if nothing is.</param>
public sealed record JobProblem(string Path, string Found, string Allowed)
{
    /// <summary>One line.</summary>
    public override string ToString() =>
        (Path.Length > 0 ? Path + ": " : "") + Found + (Allowed.Length == 0 ? "" : "; " + Instead(Allowed));

    /// <summary>How what is allowed is told; a question, as "did you mean …", speaks for itself.</summary>
    public static string Instead(string allowed) => allowed.EndsWith('?') ? allowed : "allowed: " + allowed;
}

/// <summary>A problem at its place in a job file.</summary>
/// <param name="File">The file as the user named it.</param>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1.</param>
/// <param name="Problem">The problem.</param>
public sealed record JobFileError(string File, int Line, int Column, JobProblem Problem)
{
    /// <summary>One line, <c>job.yaml:12:5: segments[1].count: found 'abc'; allowed: a whole number from 1 to 1000000</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}: {Problem}");
}
