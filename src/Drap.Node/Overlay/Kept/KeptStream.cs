namespace Drap.Node.Overlay.Kept;

/// <summary>
/// A stream that goes on when what carries it breaks: what was written is kept until the other side has taken it, and a new carrier begins where the
/// other side is. Who opened it brings the carriers.
/// </summary>
internal sealed class KeptStream(KeptDesk desk, PeerId peer, UInt128 name, bool isOpener) : OverlayStream
{
    private readonly Lock gate = new();
    private readonly SendingHalf sending = new();
    private readonly ReceivingHalf receiving = new();
    private readonly Signal readable = new(), writable = new();
    private KeptCarrier? carrier;
    private int carriers;
    private int waited;
    private bool isReset, isLeft, isResuming, isFinished;

    public override PeerId Peer => peer;

    public UInt128 Name => name;

    public bool IsOpener => isOpener;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            lock (gate)
            {
                if (!receiving.IsEmpty)
                {
                    int read = receiving.Read(buffer.Span);
                    if (receiving.IsTellingDue)
                        carrier?.Work.Set();
                    return read;
                }
                if (receiving.IsOver)
                    return 0;
                CheckReset();
            }
            await readable.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            lock (gate)
            {
                CheckReset();
                if (sending.IsOver)
                    throw new InvalidOperationException("this side has ended the stream");
                int written = sending.Write(buffer.Span);
                buffer = buffer[written..];
                if (written > 0)
                    carrier?.Work.Set();
                if (buffer.IsEmpty)
                    return;
            }
            await writable.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        lock (gate)
        {
            CheckReset();
            sending.Finish();
            carrier?.Work.Set();
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends it both ways; the other side is told if there is a carrier.</summary>
    public override void Reset() => End(isTold: true);

    /// <summary>As <see cref="Reset"/>; completes when the other side was told, if it can be.</summary>
    public Task ResetAsync()
    {
        KeptCarrier? telling;
        lock (gate)
            telling = carrier;
        Reset();
        return telling?.Ended ?? Task.CompletedTask;
    }

    /// <summary>Ends it both ways without a word: the other side knows, or is gone.</summary>
    public void Break() => End(isTold: false);

    /// <summary>Its user is done with it: what was written still goes out, what comes is dropped.</summary>
    public void Leave()
    {
        lock (gate)
        {
            if (isReset)
                return;
            isLeft = true;
            waited = 0;
            sending.Finish();
            receiving.Drop();
            carrier?.Work.Set();
        }
    }

    /// <summary>Lets go of the present carrier, so that another can take its place: its number, and how much has come until then.</summary>
    public (int Number, long Received) Prepare() => TryPrepare(null, out (int, long) prepared) ? prepared : default;

    /// <summary>As <see cref="Prepare"/>, for the carrier that the other side calls so; false if a later one was here.</summary>
    public bool TryPrepare(int? number, out (int Number, long Received) prepared)
    {
        KeptCarrier? old;
        lock (gate)
        {
            prepared = default;
            if (number <= carriers)
                return false;
            old = carrier;
            carrier = null;
            carriers = number ?? carriers + 1;
            prepared = (carriers, receiving.Received);
        }
        old?.Abort();
        return true;
    }

    /// <summary>Goes on over a carrier from where the other side is; null if a later one was faster, or that cannot be.</summary>
    public KeptCarrier? Attach(OverlayStream stream, int number, long received)
    {
        KeptCarrier fresh;
        bool isPossible;
        lock (gate)
        {
            if (number != carriers || isFinished)
                return null;
            isPossible = sending.TryGoOn(received);
            fresh = new KeptCarrier(this, stream);
            if (!isLeft)
                waited = 0;
            receiving.Told = 0;
            carrier = fresh;
        }
        fresh.Start();
        if (!isPossible)
            Reset();
        return fresh;
    }

    /// <summary>The carrier has ended.</summary>
    public void Lost(KeptCarrier gone)
    {
        bool isOver, mustResume;
        lock (gate)
        {
            if (!ReferenceEquals(carrier, gone))
                return;
            carrier = null;
            if (!isLeft)
                waited = 0;
            isFinished |= isReset || (sending.IsDone && receiving.IsOver && receiving.IsEmpty);
            mustResume = isOpener && !isFinished && !isResuming;
            isResuming |= mustResume;
            isOver = isFinished;
        }
        if (isOver)
            desk.Remove(this);
        if (mustResume)
            _ = ResumeAsync();
    }

    /// <summary>A second is over.</summary>
    public void Beat()
    {
        KeptCarrier? silent = null;
        bool isOver = false;
        lock (gate)
        {
            if (isFinished)
                return;
            if (carrier is { } now)
            {
                now.Beats++;
                now.Silence++;
                now.IsBeatDue = true;
                now.IsMoveDue |= !isOpener && desk.IsByDaemon && now.Beats >= KeptLimits.DaemonCarrierMax;
                if (now.Silence > (isOpener ? KeptLimits.SilenceMax : KeptLimits.WaitMax))
                    silent = now;
                now.Work.Set();
            }
            // Who opened it counts its tries instead, while it looks for a carrier.
            isOver = (isLeft || (carrier is null && !isOpener) || isReset) && ++waited > KeptLimits.WaitMax;
        }
        if (isOver)
            Break();
        silent?.Abort();
    }

    /// <summary>What the carrier is to write next, in one piece; 0 if there is nothing. After the last piece the carrier is ended.</summary>
    public int TakeNext(KeptCarrier by, Span<byte> piece, out bool isLast)
    {
        int length = 0;
        lock (gate)
        {
            isLast = !ReferenceEquals(carrier, by);
            if (isLast)
                return 0;
            if (isReset)
            {
                isLast = true;
                return Head(piece, KeptFrame.Reset, 0);
            }
            if (receiving.IsTellingDue || by.IsBeatDue || by.IsMoveDue)
            {
                by.IsBeatDue = false;
                receiving.Told = receiving.Taken;
                length += Head(piece, KeptFrame.Taken, receiving.Told);
            }
            if (by.IsMoveDue)
            {
                isLast = true;
                return length + Head(piece[length..], KeptFrame.Move, 0);
            }
            int data = sending.TakeNext(piece[(length + KeptWire.HeadBytes)..^KeptWire.HeadBytes]);
            if (data > 0)
                length += Head(piece[length..], KeptFrame.Data, data) + data;
            if (sending.TryTakeEnd())
                length += Head(piece[length..], KeptFrame.End, 0);
            isFinished = isLast = sending.IsDone && receiving.IsOver && receiving.Told == receiving.Received;
        }
        if (isLast)
            desk.Remove(this);
        return length;
    }

    /// <summary>Takes what a carrier has read; false if the other side breaks the rules.</summary>
    public bool TryTake(KeptCarrier by, KeptFrame kind, long number, ReadOnlySpan<byte> data)
    {
        bool isGood;
        lock (gate)
        {
            if (!ReferenceEquals(carrier, by))
                return true;
            by.Silence = 0;
            switch (kind)
            {
                case KeptFrame.Data:
                    isGood = receiving.TryReceive(data);
                    break;
                case KeptFrame.Taken:
                    isGood = sending.TryTake(number);
                    break;
                case KeptFrame.End:
                    isGood = receiving.TryFinish();
                    break;
                default:
                    return kind is KeptFrame.Move or KeptFrame.Reset;
            }
            // An end that is confirmed may have been the last thing to wait for; the end of the other side is confirmed at once.
            if (kind != KeptFrame.Data || receiving.IsTellingDue)
                by.Work.Set();
        }
        if (kind == KeptFrame.Taken)
            writable.Set();
        else
            readable.Set();
        return isGood;
    }

    protected override void Release()
    {
        bool isOver;
        lock (gate)
            isOver = receiving.IsOver && receiving.IsEmpty && sending.IsOver;
        if (isOver)
            Leave();
        else
            Reset();
    }

    private static int Head(Span<byte> to, KeptFrame kind, long number)
    {
        KeptWire.WriteHead(to, kind, number);
        return KeptWire.HeadBytes;
    }

    private void End(bool isTold)
    {
        KeptCarrier? told;
        lock (gate)
        {
            if (isFinished)
                return;
            isReset = true;
            waited = 0;
            told = carrier;
            isFinished = !isTold || told is null;
        }
        readable.Set();
        writable.Set();
        if (isTold && told is not null)
            told.Work.Set();
        else
            told?.Abort();
        desk.Remove(this);
    }

    private async Task ResumeAsync()
    {
        (KeptAnswer answer, int tries) = (KeptAnswer.Here, 0);
        for (; tries < KeptLimits.ResumesMax; tries++)
        {
            try
            {
                if (tries > 0)
                    await Task.Delay(KeptLimits.ResumeMin * (1 << (tries - 1)), desk.Left).ConfigureAwait(false);
                answer = await desk.GoOnAsync(this, desk.Left).ConfigureAwait(false);
                break;
            }
            catch (Exception failure) when (failure is IOException or OperationCanceledException && !desk.Left.IsCancellationRequested)
            {
                // The peer or its daemon may be back in a moment.
            }
            catch (Exception failure) when (failure is OperationCanceledException or ObjectDisposedException)
            {
                tries = KeptLimits.ResumesMax;
            }
        }
        bool isLost;
        lock (gate)
        {
            // The carrier may have broken before this was said: then nobody else looks for the next.
            isLost = answer == KeptAnswer.Here && tries < KeptLimits.ResumesMax && carrier is null && !isFinished;
            isResuming = isLost;
        }
        if (isLost)
            _ = ResumeAsync();
        else if (answer != KeptAnswer.Here || tries >= KeptLimits.ResumesMax)
            Break();
    }

    private void CheckReset()
    {
        if (isReset)
            throw new OverlayException(OverlayFailure.Reset, "the stream has ended both ways");
    }
}
