using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>
/// Spreads local files over tasks: finds them, cuts the large ones, groups the small ones. The same files give the same tasks, whatever
/// order the file system lists them in.
/// </summary>
public static class ItemExpansion
{
    /// <summary>Fills <see cref="FilesSpec.Sets"/>.</summary>
    /// <returns>False with what was found and what is allowed instead.</returns>
    public static bool TryExpand(
        FilesSpec files, IFileLister lister, [NotNullWhen(true)] out FilesSpec? expanded, [NotNullWhen(false)] out JobProblem? problem)
    {
        expanded = null;
        problem = null;
        try
        {
            problem = Find(files, lister, out string folder, out List<ListedFile> found);
            if (problem is not null)
                return false;
            List<FilePart> parts = Cut(files, lister, folder, found);
            if (parts.Count > JobLimits.FilesMax)
            {
                problem = new JobProblem("", $"{parts.Count} files and parts", $"at most {JobLimits.FilesMax}; a larger split makes fewer");
                return false;
            }
            expanded = files with { Sets = Group(parts, files.Group?.Bytes ?? 0) };
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = new JobProblem("", e.Message, "files that can be read");
            return false;
        }
    }

    private static JobProblem? Find(FilesSpec files, IFileLister lister, out string folder, out List<ListedFile> found)
    {
        found = [];
        // A path that is there is taken as it is, so that a folder's name may have a '*' or '[' in it.
        PathKind kind = lister.KindOf(files.Glob);
        var glob = new Glob(files.Glob);
        folder = kind == PathKind.Folder ? files.Glob.Length > 1 ? files.Glob.TrimEnd('/') : files.Glob : glob.Folder;
        if (kind == PathKind.File)
        {
            int name = files.Glob.LastIndexOf('/') + 1;
            folder = files.Glob[..Math.Max(0, name - 1)];
            found.Add(new ListedFile(files.Glob[name..], lister.SizeOf(files.Glob)));
            return null;
        }
        string root = folder.Length == 0 ? "." : folder;
        if (kind == PathKind.Folder || !glob.IsLiteral && lister.KindOf(root) == PathKind.Folder)
            found.AddRange(lister.ListFiles(root).Where(f => kind == PathKind.Folder || glob.Matches(f.Path)).Take(JobLimits.FilesMax + 1));
        if (found.Count > JobLimits.FilesMax)
            return new JobProblem("", $"more than {JobLimits.FilesMax} files match '{files.Glob}'", "fewer");
        if (found.Count == 0 && !files.AllowNone)
            return new JobProblem("", $"no file matches '{files.Glob}'", "a pattern that matches, or allow_none: true");
        found.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
        string? odd = found.Select(f => f.Path).FirstOrDefault(p => !WorkPath.IsSafe(p));
        return odd is null ? null : new JobProblem("", $"the file name '{odd}'", "names without control characters");
    }

    private static List<FilePart> Cut(FilesSpec files, IFileLister lister, string folder, List<ListedFile> found)
    {
        var parts = new List<FilePart>();
        var names = new HashSet<string>(found.Select(f => f.Path), StringComparer.Ordinal);
        foreach (ListedFile file in found)
        {
            string path = folder.Length == 0 ? file.Path : folder == "/" ? "/" + file.Path : $"{folder}/{file.Path}";
            if (files.Split is not { Bytes: > 0 } split || file.Length <= split.Bytes)
            {
                parts.Add(new FilePart { Name = file.Path, Path = path, Length = file.Length });
                continue;
            }
            // Equal parts, so that the last one is not a crumb.
            long count = (file.Length + split.Bytes - 1) / split.Bytes;
            long at = 0;
            for (long i = 1; i <= count && parts.Count <= JobLimits.FilesMax; i++)
            {
                long wanted = (long)((Int128)file.Length * i / count);
                long end = i == count || files.At == SplitAt.Byte ? wanted : lister.FindCut(path, Math.Max(wanted, at), files.At);
                if (end <= at)
                    continue;
                parts.Add(new FilePart { Name = PartName(file.Path, i, names), Path = path, Offset = at, Length = end - at });
                at = end;
            }
        }
        return parts;
    }

    private static string PartName(string path, long number, HashSet<string> taken)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{path}.part{number:d6}");
        while (!taken.Add(name))
            name += "_";
        return name;
    }

    /// <summary>Neighbours together until they reach the wanted size; each file alone where none is wanted.</summary>
    private static ImmutableArray<FileSet> Group(List<FilePart> parts, long wanted)
    {
        var sets = ImmutableArray.CreateBuilder<FileSet>();
        var current = ImmutableArray.CreateBuilder<FilePart>();
        long size = 0;
        int bytes = 0;
        foreach (FilePart part in parts)
        {
            // Whichever leaves the group nearer to the wanted size; and a thousand tiny files still fit the task's message.
            if (current.Count > 0
                && (wanted == 0 || size + part.Length - wanted > wanted - size || bytes + SizeRules.BytesOf(part) > JobLimits.TaskBytesMax / 2))
                Close();
            current.Add(part);
            size += part.Length;
            bytes += SizeRules.BytesOf(part);
        }
        if (current.Count > 0)
            Close();
        return sets.DrainToImmutable();

        void Close()
        {
            sets.Add(new FileSet { Files = [.. current] });
            current.Clear();
            size = 0;
            bytes = 0;
        }
    }
}
