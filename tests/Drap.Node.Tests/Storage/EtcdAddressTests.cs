using Drap.Node.Storage.Etcd;
using Xunit;

namespace Drap.Node.Tests.Storage;

public sealed class EtcdAddressTests
{
    [Theory]
    [InlineData("etcd://10.0.0.1/lab", "http://10.0.0.1:2379/", "etcd://10.0.0.1:2379/lab")]
    [InlineData("etcd://a:80,b,c:9/x-1._y", "http://a/ http://b:2379/ http://c:9/", "etcd://a,b:2379,c:9/x-1._y")]
    [InlineData("etcds://[::1]:4001,[fe80::1]/lab", "https://[::1]:4001/ https://[fe80::1]:2379/", "etcds://[::1]:4001,[fe80::1]:2379/lab")]
    public void An_address_names_members_and_a_journal(string text, string members, string written)
    {
        Assert.True(EtcdAddress.TryParse(text, out EtcdAddress? address, out _));
        Assert.Equal(members, string.Join(' ', address.Members.Select(m => m.AbsoluteUri)));
        Assert.Equal(written, address.ToString());
        Assert.Equal($"drap/{address.Name}/", address.Prefix);
    }

    [Theory]
    [InlineData("http://a/lab", "'http://a/lab' is no address of etcd")]
    [InlineData("etcd://a", "'etcd://a' ends in no name of a journal (letters, digits, '-', '_' and '.', at most 64)")]
    [InlineData("etcd://a/", "'etcd://a/' ends in no name of a journal (letters, digits, '-', '_' and '.', at most 64)")]
    [InlineData("etcd://a/b/c", "'etcd://a/b/c' ends in no name of a journal (letters, digits, '-', '_' and '.', at most 64)")]
    [InlineData("etcd:///lab", "'' is no host with a port")]
    [InlineData("etcd://a,,b/lab", "'' is no host with a port")]
    [InlineData("etcd://a:99999/lab", "'a:99999' is no host with a port")]
    [InlineData("etcd://user:word@a/lab", "'user:word@a' is no host with a port")]
    [InlineData("etcd://a,b,c,d,e,f,g,h,i,j/lab", "'etcd://a,b,c,d,e,f,g,h,i,j/lab' names 10 members; at most 9")]
    public void What_is_none_is_said(string text, string error)
    {
        Assert.False(EtcdAddress.TryParse(text, out EtcdAddress? address, out string said));
        Assert.Null(address);
        Assert.Equal(error, said);
    }
}
