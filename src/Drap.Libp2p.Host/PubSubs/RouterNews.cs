using Drap.Libp2p.Gossipsub;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>What the router is told without an answer: that one of our messages was signed or could not be, or which signatures are good.</summary>
internal readonly struct RouterNews
{
    private readonly UnsignedMessage? signed;
    private readonly CheckedMessage[] done = [];

    public RouterNews(UnsignedMessage signed) => this.signed = signed;

    public RouterNews(CheckedMessage[] done) => this.done = done;

    public void Tell(Publisher publisher, RouterStep step)
    {
        if (signed is not null)
            publisher.Signed(signed, step);
        foreach (CheckedMessage check in done)
            step.Router.Verified(check.Message, check.IsGood, step.Now, step.Effects);
    }
}
