
namespace Drap.Libp2p.RequestResponse;

/// <summary>
/// What was asked and answered, so that a request that comes again is not done again: while it is under way the second one waits for the same answer, and
/// afterwards gets it. Pure and bounded as <see cref="RequestOptions"/> says; not thread-safe.
/// </summary>
public sealed class AnswerTable(RequestOptions options)
{
    private readonly Dictionary<(PeerId, ulong), LinkedListNode<Session>> sessions = [];
    private readonly LinkedList<Session> heard = [];

    /// <summary>Bytes of answers kept.</summary>
    public long AnswerBytes { get; private set; }

    /// <summary>Sessions known.</summary>
    public int SessionCount => sessions.Count;

    /// <summary>A request came. <see cref="Verdict.Do"/>: do it, and <see cref="Complete"/> it in any case.</summary>
    public Verdict Ask(PeerId peer, in RequestHeader header, Instant now, out Answer? answer)
    {
        Forget(now);
        answer = null;
        if (Hear(peer, header.Session, now) is not { } session)
            return Verdict.Busy;
        Settle(session, header.Settled);
        if (header.Number < session.Settled)
            return Verdict.Gone;
        if (session.Answers.TryGetValue(header.Number, out answer))
            return answer.Body is not null ? Verdict.Answered : answer.IsForgotten ? Verdict.Gone : Verdict.Wait;
        // By number, not by count: the asker's oldest request, which holds all others back, is always taken.
        if (header.Number - session.Settled >= options.AnswersPerSessionMax)
            return Verdict.Busy;
        answer = new Answer(session);
        session.Answers.Add(header.Number, answer);
        session.UnderWay++;
        return Verdict.Do;
    }

    /// <summary>The request is done.</summary>
    public void Complete(Answer answer, ResponseStatus status, ReadOnlyMemory<byte> body)
    {
        Invariant.Check(answer.Body is null && !answer.IsForgotten);
        answer.Session.UnderWay--;
        answer.Status = status;
        answer.Body = body;
        if (answer.IsSettled)
            return;
        AnswerBytes += body.Length;
        for (LinkedListNode<Session>? oldest = heard.First; AnswerBytes > options.AnswerBytesMax && oldest is not null; oldest = oldest.Next)
            ForgetAnswers(oldest.Value);
    }

    private Session? Hear(PeerId peer, ulong id, Instant now)
    {
        if (sessions.TryGetValue((peer, id), out LinkedListNode<Session>? node))
        {
            heard.Remove(node);
            heard.AddLast(node);
        }
        else
        {
            if (sessions.Count >= options.SessionsMax)
            {
                if (heard.FirstOrDefault(s => s.UnderWay == 0) is not { } idle)
                    return null;
                Remove(idle);
            }
            node = heard.AddLast(new Session(peer, id));
            sessions.Add((peer, id), node);
        }
        node.Value.HeardAt = now;
        return node.Value;
    }

    private void Settle(Session session, long settled)
    {
        if (settled <= session.Settled)
            return;
        if (settled - session.Settled <= session.Answers.Count)
        {
            for (long number = session.Settled; number < settled; number++)
                Drop(session, number);
        }
        else
        {
            foreach (long number in session.Answers.Keys.Where(n => n < settled).ToArray())
                Drop(session, number);
        }
        session.Settled = settled;
    }

    private void Drop(Session session, long number)
    {
        if (!session.Answers.Remove(number, out Answer? answer))
            return;
        answer.IsSettled = true;
        AnswerBytes -= answer.Body?.Length ?? 0;
    }

    private void ForgetAnswers(Session session)
    {
        foreach (Answer answer in session.Answers.Values)
        {
            if (answer.Body is not { } body)
                continue;
            AnswerBytes -= body.Length;
            answer.Body = null;
            answer.IsForgotten = true;
        }
    }

    private void Forget(Instant now)
    {
        while (heard.First is { } oldest && now - oldest.Value.HeardAt > options.AnswersKept && oldest.Value.UnderWay == 0)
            Remove(oldest.Value);
    }

    private void Remove(Session session)
    {
        Settle(session, long.MaxValue);
        sessions.Remove((session.Peer, session.Id), out LinkedListNode<Session>? node);
        heard.Remove(node!);
    }

    internal sealed class Session(PeerId peer, ulong id)
    {
        public readonly PeerId Peer = peer;
        public readonly ulong Id = id;
        public readonly Dictionary<long, Answer> Answers = [];
        public long Settled = 1;
        public int UnderWay;
        public Instant HeardAt;
    }

    /// <summary>What became of one request.</summary>
    public sealed class Answer
    {
        internal Answer(Session session) => Session = session;

        /// <summary>How it went.</summary>
        public ResponseStatus Status { get; internal set; }

        /// <summary>The answer; null while there is none, and when it is not kept any more.</summary>
        public ReadOnlyMemory<byte>? Body { get; internal set; }

        /// <summary>What the host has for those who wait for it.</summary>
        public object? Waiters { get; set; }

        internal Session Session { get; }

        internal bool IsForgotten { get; set; }

        internal bool IsSettled { get; set; }
    }

    /// <summary>What to do with a request that came.</summary>
    public enum Verdict
    {
        /// <summary>It is new.</summary>
        Do,

        /// <summary>It is being done.</summary>
        Wait,

        /// <summary>It was done, and here is its answer.</summary>
        Answered,

        /// <summary>It was done or given up, and there is no answer.</summary>
        Gone,

        /// <summary>Too much is under way for this asker.</summary>
        Busy,
    }
}
