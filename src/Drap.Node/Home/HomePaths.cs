namespace Drap.Node.Home;

/// <summary>Where the engine keeps what in a home; a reader of a stopped home looks there too.</summary>
public static class HomePaths
{
    extension(HomeFolder home)
    {
        /// <summary>What was signed by its scheduler's workers, and kept.</summary>
        public string EvidenceFolder => Path.Combine(home.Path, "scheduler", "evidence");

        /// <summary>The scheduler's key.</summary>
        public string SchedulerIdentityFile => Path.Combine(home.Path, "scheduler", "identity.key");

        /// <summary>The scheduler's journal.</summary>
        public string JournalFolder => Path.Combine(home.Path, "scheduler", "journal");

        /// <summary>Where in etcd the journal is; there only if it is not in its folder.</summary>
        public string JournalPlaceFile => Path.Combine(home.Path, "scheduler", "journal.place");

        /// <summary>What tasks wrote, a file a job.</summary>
        public string LogFolder => Path.Combine(home.Path, "logs");

        /// <summary>The blob store, which scheduler and workers of one process share.</summary>
        public string BlobFolder => Path.Combine(home.Path, "blobs");

        /// <summary>All that one worker keeps.</summary>
        public string WorkerFolder(string name) => Path.Combine(home.Path, "workers", name);
    }
}
