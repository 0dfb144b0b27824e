using Drap.Core.Journal;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Hunting;

/// <summary>
/// A machine, a shell or a disk that errs in one way, put around the real ones to see whether the checks find it. This one errs in none. Nothing of it is
/// in the machines: it stands between them and the world, and where the error is one of a decision it changes what was decided.
/// </summary>
internal class PlantedFault
{
    /// <summary>Batches that a journal says to be safe before it has written them; null for none.</summary>
    public virtual Func<JournalBatch, bool>? LiesOf => null;

    /// <summary>A scheduler comes up from what its disk held; the wall clock that it reads.</summary>
    public virtual UtcTime BeforeStart(WorldScheduler scheduler, SchedulerState state, UtcTime utc) => utc;

    /// <summary>What a scheduler hears.</summary>
    public virtual SchedulerInput.Received Hears(WorldScheduler scheduler, SchedulerInput.Received message) => message;

    /// <summary>What is done instead of what a scheduler wants; null for just that.</summary>
    public virtual IReadOnlyList<SchedulerEffect>? Instead(WorldScheduler scheduler, SchedulerEffect effect) => null;

    /// <summary>What is done instead of what a worker wants.</summary>
    public virtual WorkerEffect Makes(WorkerEffect effect) => effect;

    /// <summary>A worker that stood still for a time goes on, and has looked at nothing yet.</summary>
    public virtual void BeforeThaw(WorkerNode node, IEnumerable<Message> waits, TimeSpan stood, Instant now)
    {
    }

    /// <summary>A worker took an input in.</summary>
    public virtual void AfterStep(WorkerNode node, WorkerInput input, Instant now)
    {
    }
}
