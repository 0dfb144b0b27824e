namespace Drap.Libp2p.Gossipsub;

/// <summary>The numbers of the fields of an RPC and of what lies in it (pubsub, "The RPC"; gossipsub v1.0 to v1.2, "Protobuf").</summary>
internal static class RpcField
{
    public const int Subscriptions = 1;
    public const int Publish = 2;
    public const int Control = 3;

    public const int SubscribeOn = 1;
    public const int SubscribeTopic = 2;

    public const int IHave = 1;
    public const int IWant = 2;
    public const int Graft = 3;
    public const int Prune = 4;
    public const int IDontWant = 5;

    public const int IHaveTopic = 1;
    public const int IHaveIds = 2;
    public const int IWantIds = 1;
    public const int IDontWantIds = 1;
    public const int GraftTopic = 1;
    public const int PruneTopic = 1;
    public const int PrunePeers = 2;
    public const int PruneBackoff = 3;

    public const int PeerInfoId = 1;
    public const int PeerInfoRecord = 2;
}
