using System.Buffers;

namespace Foretier.Agent.Hot;

/// <summary>
/// Client sessions, in the journal: a QoS 2 message and the fact that it was taken are one record, so that a message sent again after a crash
/// is known or was not stored. A session is written whole when it begins and before the journal gives up the space of its last such record.
/// </summary>
public sealed partial class HotStore
{
    private readonly Dictionary<string, ClientSession> _sessions = new(StringComparer.Ordinal);

    /// <summary>What a <see cref="RecordKind.Session"/> record says.</summary>
    private enum SessionStep : byte
    {
        /// <summary>client · packet id, then the message's own record, where it has one.</summary>
        Received = 1,

        /// <summary>client · packet id.</summary>
        Released = 2,

        /// <summary>client · seconds kept · ids · filters.</summary>
        Whole = 3,

        /// <summary>client.</summary>
        Ended = 4,
    }

    /// <summary>Sessions kept, with and without a connection.</summary>
    internal int Sessions
    {
        get
        {
            lock (_gate)
            {
                return _sessions.Count;
            }
        }
    }

    /// <summary>Finds or begins a client's session. <see cref="CloseSession"/> is to follow.</summary>
    /// <param name="isClean">What there was is forgotten.</param>
    /// <param name="keep">How long it is to outlive its connection; zero = not at all.</param>
    /// <param name="most">So many are kept; then the one that has been gone longest makes room, or this one is not kept.</param>
    /// <exception cref="HotStoreUnavailableException">The journal cannot take it.</exception>
    internal ClientSession OpenSession(string client, bool isClean, TimeSpan keep, int most, out bool wasThere)
    {
        lock (_gate)
        {
            wasThere = _sessions.TryGetValue(client, out var session);
            if (wasThere && (isClean || HasExpired(session!, _clock.GetTimestamp())))
            {
                EndSession(session!);
                wasThere = false;
            }
            if (!wasThere)
            {
                // A begun session waits for the end of the one before it.
                session = new(client) { Ticket = session?.Ticket ?? 0 };
                if (keep > TimeSpan.Zero && MakeRoomForSession(most))
                {
                    (_sessions[client], session.Keep) = (session, keep);
                    WriteWhole(session);
                }
            }
            else if (session!.Keep != keep)
            {
                session.Keep = keep;
                WriteWhole(session);
            }
            session!.Connections++;
            return session;
        }
    }

    /// <summary>The client says anew how long its session is to outlive its connection; zero = not at all. One that is not kept stays so.</summary>
    /// <exception cref="HotStoreUnavailableException">The journal cannot take it.</exception>
    internal void KeepSession(ClientSession session, TimeSpan keep)
    {
        lock (_gate)
        {
            if (IsKept(session) && session.Keep != keep)
            {
                session.Keep = keep;
                WriteWhole(session);
            }
        }
    }

    /// <summary>A connection of the session has ended.</summary>
    internal void CloseSession(ClientSession session)
    {
        lock (_gate)
        {
            session.LeftAt = _clock.GetTimestamp();
            if (--session.Connections == 0 && session.Keep == TimeSpan.Zero && IsKept(session))
            {
                TryEndSession(session);
            }
        }
    }

    /// <summary>Forgets the sessions whose time is over.</summary>
    internal void ExpireSessions()
    {
        lock (_gate)
        {
            var now = _clock.GetTimestamp();
            foreach (var session in _sessions.Values.Where(session => HasExpired(session, now)).ToList())
            {
                TryEndSession(session);
            }
        }
    }

    /// <summary>Forgets the sessions of clients for which this is true: they may not come back.</summary>
    internal void EndSessions(Func<string, bool> whose)
    {
        lock (_gate)
        {
            foreach (var session in _sessions.Values.Where(session => whose(session.Client)).ToList())
            {
                // Where the journal cannot take it now, the next sweep finds a session whose time is over.
                session.Keep = TimeSpan.Zero;
                TryEndSession(session);
            }
        }
    }

    /// <summary>Whether the message was taken already; if so, with this ticket at the latest.</summary>
    internal bool IsReceived(in Delivery delivery, out long ticket, out int unreleased)
    {
        lock (_gate)
        {
            (ticket, unreleased) = (delivery.Session!.Ticket, delivery.Session.Received.Count);
            return delivery.Session.Received.Contains(delivery.PacketId);
        }
    }

    /// <summary>Notes a message that has left no record in the journal. One that has is noted with it.</summary>
    internal long Receive(in Delivery delivery)
    {
        lock (_gate)
        {
            var session = delivery.Session!;
            if (!session.Received.Contains(delivery.PacketId))
            {
                long ticket = 0;
                if (IsKept(session))
                {
                    (ticket, _) = _journal.Append(Begin(Record(RecordKind.Session), delivery).WrittenSpan);
                }
                Received(delivery, ticket);
            }
            return session.Ticket;
        }
    }

    /// <summary>The client has our PUBREC and lets go of the message.</summary>
    /// <returns>The ticket to wait for before the PUBCOMP: after it the client may use the id for another message.</returns>
    internal long Release(ClientSession session, ushort packetId, out bool isKnown)
    {
        lock (_gate)
        {
            isKnown = session.Received.Contains(packetId);
            if (isKnown && IsKept(session))
            {
                var record = Record(RecordKind.Session);
                RecordWriter.WriteByte(record, (byte)SessionStep.Released);
                RecordWriter.WriteText(record, session.Client);
                RecordWriter.WriteVarint(record, packetId);
                (session.Ticket, _) = _journal.Append(record.WrittenSpan);
            }
            session.Received.Remove(packetId);
            return session.Ticket;
        }
    }

    /// <summary>Keeps the client's subscriptions.</summary>
    internal void PutFilters(ClientSession session, IReadOnlyList<SessionFilter> filters)
    {
        lock (_gate)
        {
            session.Filters = filters;
            if (IsKept(session))
            {
                WriteWhole(session);
            }
        }
    }

    private bool IsKept(ClientSession session) => _sessions.GetValueOrDefault(session.Client) == session;

    private bool HasExpired(ClientSession session, long now) => session.Connections == 0 && _clock.GetElapsedTime(session.LeftAt, now) >= session.Keep;

    private bool MakeRoomForSession(int most)
    {
        if (_sessions.Count < most)
        {
            return true;
        }
        var oldest = _sessions.Values.Where(session => session.Connections == 0).MinBy(session => session.LeftAt);
        if (oldest is not null)
        {
            EndSession(oldest);
        }
        return oldest is not null;
    }

    private void TryEndSession(ClientSession session)
    {
        try
        {
            EndSession(session);
        }
        catch (HotStoreUnavailableException)
        {
            // It stays; the next sweep tries again.
        }
    }

    private void EndSession(ClientSession session)
    {
        var record = Record(RecordKind.Session);
        RecordWriter.WriteByte(record, (byte)SessionStep.Ended);
        RecordWriter.WriteText(record, session.Client);
        (session.Ticket, _) = _journal.Append(record.WrittenSpan);
        _sessions.Remove(session.Client);
    }

    private void WriteWhole(ClientSession session)
    {
        var record = Record(RecordKind.Session);
        RecordWriter.WriteByte(record, (byte)SessionStep.Whole);
        RecordWriter.WriteText(record, session.Client);
        RecordWriter.WriteVarint(record, (ulong)session.Keep.TotalSeconds);
        RecordWriter.WriteVarint(record, (ulong)session.Received.Count);
        foreach (var id in session.Received)
        {
            RecordWriter.WriteVarint(record, id);
        }
        RecordWriter.WriteVarint(record, (ulong)session.Filters.Count);
        foreach (var filter in session.Filters)
        {
            RecordWriter.WriteText(record, filter.Topic);
            RecordWriter.WriteByte(record, filter.Options);
            RecordWriter.WriteVarint(record, (ulong)filter.Id);
        }
        (session.Ticket, session.Position) = _journal.Append(record.WrittenSpan);
    }

    /// <summary>Writes the sessions anew whose last whole record lies where the journal may now lose it. Under the lock.</summary>
    private void CarrySessions(long released)
    {
        foreach (var session in _sessions.Values)
        {
            if (session.Position <= released)
            {
                WriteWhole(session);
            }
        }
    }

    /// <summary>The beginning of a record that says which QoS 2 message it comes from; the message's own follows.</summary>
    private static ArrayBufferWriter<byte> Begin(ArrayBufferWriter<byte> record, in Delivery delivery)
    {
        RecordWriter.WriteByte(record, (byte)SessionStep.Received);
        RecordWriter.WriteText(record, delivery.Session!.Client);
        RecordWriter.WriteVarint(record, delivery.PacketId);
        return record;
    }

    /// <summary>An empty record for a message, or one begun with its delivery where that is to be durable with it.</summary>
    private static ArrayBufferWriter<byte> RecordOf(in Delivery delivery)
    {
        if (delivery.Session is { Keep.Ticks: > 0 })
        {
            return Begin(Record(RecordKind.Session), delivery);
        }
        var record = _record ??= new(4096);
        record.ResetWrittenCount();
        return record;
    }

    private static void Received(in Delivery delivery, long ticket)
    {
        if (delivery.Session is { } session)
        {
            session.Received.Add(delivery.PacketId);
            session.Ticket = Math.Max(session.Ticket, ticket);
        }
    }

    /// <returns>True where the message's own record follows.</returns>
    private bool ReplaySession(long position, ref RecordReader record)
    {
        var step = (SessionStep)record.Byte();
        var client = record.Text();
        // One that is not known has its whole record further on, or was ended: then none of this counts.
        var session = _sessions.GetValueOrDefault(client);
        switch (step)
        {
            case SessionStep.Received:
                session?.Received.Add((ushort)record.Varint());
                if (session is null)
                {
                    record.Varint();
                }
                return !record.AtEnd;
            case SessionStep.Released:
                session?.Received.Remove((ushort)record.Varint());
                return false;
            case SessionStep.Whole:
                session = _sessions[client] = new(client)
                {
                    Keep = TimeSpan.FromSeconds(record.Varint()),
                    Position = position,
                    LeftAt = _clock.GetTimestamp(),
                };
                for (var left = record.Varint(); left > 0; left--)
                {
                    session.Received.Add((ushort)record.Varint());
                }
                var filters = new List<SessionFilter>();
                for (var left = record.Varint(); left > 0; left--)
                {
                    filters.Add(new(record.Text(), record.Byte(), (int)record.Varint()));
                }
                session.Filters = filters;
                return false;
            case SessionStep.Ended:
                _sessions.Remove(client);
                return false;
            default:
                throw new InvalidDataException($"the journal has a session record of kind {step}, which this version does not know: start the newer one again");
        }
    }
}
