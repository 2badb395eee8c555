using System.Globalization;

namespace Foretier.Predict.Models;

/// <summary>
/// What a model has to pass before it is let near a forecast: the answers of the network as it was trained, and answers that make sense to inputs
/// nobody chose for it. Its time and memory are the child's to bound (<see cref="ChildOptions"/>).
/// </summary>
public static class LoadTest
{
    /// <summary>Of a golden answer, relative above 1: what processors differ by is 2e-5.</summary>
    private const float Tolerance = 1e-4f;

    private const int ProbeRows = 100;

    /// <summary>Quantiles may cross by a hair: they are put in order where they are used.</summary>
    private const float CrossingMax = 1e-3f;

    /// <exception cref="InferenceException">It does not pass; the message says why.</exception>
    public static async Task RunAsync(ModelFolder folder, IInference model, CancellationToken cancel)
    {
        var golden = folder.ReadGolden();
        if (golden.Count == 0)
        {
            throw Refused(model, "it comes without golden vectors");
        }
        foreach (var vector in golden)
        {
            var answer = await model.RunAsync(vector.Inputs, cancel).ConfigureAwait(false);
            var furthest = vector.Output.Values.Zip(answer.Values, static (wanted, given) => Math.Abs(wanted - given) / Math.Max(1, Math.Abs(wanted))).DefaultIfEmpty().Max();
            if (!(furthest <= Tolerance))
            {
                throw Refused(model, string.Create(CultureInfo.InvariantCulture, $"it answers '{vector.Name}' otherwise than when it was trained: {furthest:0.#####} off, at most {Tolerance:0.#####}"));
            }
        }
        Check(model, await model.RunAsync(Probe(folder.Manifest.Shapes), cancel).ConfigureAwait(false));
    }

    /// <summary>Silence, gaps and floods: from nothing to a million in steps, so that every scale is among them.</summary>
    private static IReadOnlyList<Tensor> Probe(ModelContract contract)
    {
        var random = new Random(1);
        return [.. contract.Inputs.Select(input =>
        {
            var row = input.Row.Aggregate(1, static (product, n) => product * n);
            var values = new float[ProbeRows * row];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = input.Row.Count > 1 ? random.NextSingle() * 2 - 1 : random.Next(8) == 0 ? -1 : random.Next(1 << (i / row % 21));
            }
            return new Tensor(values, [ProbeRows, .. input.Row]);
        })];
    }

    /// <summary>That numbers are finite was seen when the answer was read.</summary>
    private static void Check(IInference model, Tensor answer)
    {
        if (model.Manifest.Shapes != ModelContract.VolumeLstm)
        {
            return;
        }
        for (var i = 0; i < answer.Values.Length; i += 3)
        {
            var (p10, p50, p90) = (answer.Values[i], answer.Values[i + 1], answer.Values[i + 2]);
            if (p10 < 0 || p50 - p10 < -CrossingMax * Math.Max(1, p50) || p90 - p50 < -CrossingMax * Math.Max(1, p50))
            {
                throw Refused(model, string.Create(CultureInfo.InvariantCulture, $"its quantiles cross or are negative: {p10} {p50} {p90}"));
            }
        }
    }

    private static InferenceException Refused(IInference model, string what) => new(InferenceFailure.Refused, $"{model.Manifest.Id} {model.Manifest.Version}: {what}");
}
