namespace Foretier.Router.Etcd;

/// <summary>etcd could not be reached, or refused; the message names where, why and what to do. Nothing is known to have changed.</summary>
public sealed class EtcdException(string message, Exception? inner = null) : IOException(message, inner);
