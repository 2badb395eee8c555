namespace Foretier.Agent.Hot;

/// <summary>
/// Reads the journal beside the one who writes it, for what a damaged window file had: also what was released already and not yet written over.
/// </summary>
internal static class JournalReader
{
    /// <exception cref="IOException">The device refuses to read.</exception>
    public static void Read(IDisk disk, Journal.Replay replay)
    {
        var files = new List<JournalFile>();
        try
        {
            foreach (var name in disk.List("journal").Where(name => int.TryParse(Path.GetFileNameWithoutExtension(name), out _)))
            {
                var file = new JournalFile(disk.Open(name), name);
                files.Add(file);
                if (!file.TryOpen())
                {
                    files.RemoveAt(files.Count - 1);
                    file.Dispose();
                }
            }
            files.Sort((a, b) => a.FirstSequence != b.FirstSequence ? a.FirstSequence.CompareTo(b.FirstSequence) : a.Epoch.CompareTo(b.Epoch));
            for (var i = 0; i < files.Count; i++)
            {
                foreach (var frame in files[i].Read(i + 1 < files.Count ? files[i + 1].FirstSequence : long.MaxValue))
                {
                    var records = new RecordReader(frame.Records.Span);
                    for (var n = 0; n < frame.Count; n++)
                    {
                        replay(frame.FirstPosition + n, records.Take(checked((int)records.Varint())));
                    }
                }
            }
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }
}
